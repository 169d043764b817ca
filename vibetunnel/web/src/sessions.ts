/** The list of sessions as the server has it: fetched once, then kept up to date by its events. */

import { type Api, type Session, messageOf } from "./api.js";
import { announce, noticed } from "./attention.js";
import { EventFeed, type ServerEvent } from "./events.js";

/** The list after an event; the same list if the event does not concern it. */
export function apply(sessions: readonly Session[], event: ServerEvent): readonly Session[] {
  const id = event.sessionId ?? event.session?.id;
  if (id === undefined) return sessions;
  if (event.type === "session-removed") return sessions.filter((each) => each.id !== id);
  const { session } = event;
  if (session) {
    const known = sessions.some((each) => each.id === id);
    return known ? sessions.map((each) => (each.id === id ? session : each)) : newestFirst([session, ...sessions]);
  }
  if (event.type === "title" && event.title !== undefined) {
    const { title } = event;
    return sessions.map((each) => (each.id === id ? { ...each, title } : each));
  }
  if (event.type === "progress" || event.type === "notification") {
    return sessions.map((each) => (each.id === id ? noticed(each, event) : each));
  }
  return sessions;
}

/** The folders of sessions, the newest session's first, each once. */
export function recentFolders(sessions: readonly Session[]): readonly string[] {
  return [...new Set(sessions.map((each) => each.folder ?? each.workingDir))];
}

function newestFirst(sessions: readonly Session[]): readonly Session[] {
  return [...sessions].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

export type ListState = "loading" | "live" | "lost";

export class SessionList {
  sessions: readonly Session[] = [];
  state: ListState = "loading";
  /** Why the list could not be fetched; empty if it could. */
  error = "";
  /** Sessions whose bell rang since the page was opened. */
  readonly rang = new Set<string>();

  private readonly feed: EventFeed;
  private sinceFetch: ServerEvent[] | undefined; // events that arrived while a list was being fetched

  constructor(
    private readonly api: Api,
    private readonly onChange: () => void,
  ) {
    this.feed = new EventFeed({
      onOpen: () => void this.refresh(),
      onEvent: (event) => this.take(event),
      onLost: () => void this.lose(),
    });
  }

  start(): void {
    void this.refresh(); // now: the list does not wait for the events
    this.feed.start();
  }

  stop(): void {
    this.feed.stop();
  }

  /** Fetch the list. Events that arrive meanwhile may be newer than it, so they are applied to it. */
  async refresh(): Promise<void> {
    const missed: ServerEvent[] = [];
    this.sinceFetch = missed;
    try {
      const fetched = await this.api.sessions();
      if (this.sinceFetch !== missed) return; // a later refresh is under way
      this.sinceFetch = undefined;
      this.sessions = missed.reduce(apply, fetched);
      this.state = "live";
      this.error = "";
    } catch (error) {
      if (this.sinceFetch !== missed) return;
      this.sinceFetch = undefined;
      this.error = messageOf(error);
      this.state = "lost";
    }
    this.onChange();
  }

  private take(event: ServerEvent): void {
    this.sinceFetch?.push(event);
    this.sessions = apply(this.sessions, event);
    if (event.type === "bell" && event.sessionId !== undefined) this.rang.add(event.sessionId);
    announce(event, this.sessions.find((each) => each.id === event.sessionId)?.name ?? "");
    this.onChange();
  }

  private async lose(): Promise<void> {
    this.state = "lost";
    this.onChange();
    // A WebSocket hides why it failed. A plain request leads to the login page if the login has ended.
    await this.api.sessions().catch(() => undefined);
  }
}
