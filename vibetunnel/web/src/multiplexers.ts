/** The sessions of tmux, screen and zellij: the server's interface to them, and their texts. */

import type { Api } from "./api.js";
import { age, counted } from "./format.js";

export type MultiplexerKind = "tmux" | "screen" | "zellij";

export interface MultiplexerSession {
  readonly name: string;
  readonly type: MultiplexerKind;
  readonly windows?: number;
  /** tmux: seconds since 1970. The others: a text. */
  readonly created?: string;
  readonly attached?: boolean;
  readonly exited?: boolean;
  /** Seconds since 1970. */
  readonly activity?: string;
}

export interface MultiplexerState {
  readonly available: boolean;
  readonly sessions: readonly MultiplexerSession[];
  /** Why there is no list. */
  readonly error?: string;
}

export type Multiplexers = Readonly<Record<MultiplexerKind, MultiplexerState>>;

const KINDS: readonly MultiplexerKind[] = ["tmux", "screen", "zellij"];

export class MultiplexerApi {
  constructor(private readonly api: Api) {}

  state(): Promise<Multiplexers> {
    return this.api.request<Multiplexers>("GET", "/api/multiplexer/status");
  }

  /** The name that the new session got. */
  async create(type: MultiplexerKind, name: string): Promise<string> {
    const made = await this.api.request<{ readonly name: string }>("POST", "/api/multiplexer/sessions", { type, name });
    return made.name;
  }

  /** The id of the session that shows it. */
  async attach(type: MultiplexerKind, sessionName: string): Promise<string> {
    const order = { type, sessionName };
    const made = await this.api.request<{ readonly sessionId: string }>("POST", "/api/multiplexer/attach", order);
    return made.sessionId;
  }

  kill(type: MultiplexerKind, name: string): Promise<unknown> {
    return this.api.request("DELETE", `/api/multiplexer/${type}/sessions/${encodeURIComponent(name)}`);
  }
}

/** Those that are installed. */
export function installed(found: Multiplexers | undefined): readonly MultiplexerKind[] {
  return found === undefined ? [] : KINDS.filter((kind) => found[kind].available);
}

/** "tmux", "tmux and screen", "tmux, screen and zellij". */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** What is known of a session: "2 windows, in use, active 4 min ago". */
export function details(session: MultiplexerSession, now_ms: number): string {
  const active = session.activity === undefined ? "" : age(dateOf(session.activity), now_ms);
  const told = session.type === "tmux" ? "" : (session.created ?? "");
  return [
    session.windows === undefined ? "" : counted(session.windows, "window"),
    session.exited ? "ended" : session.attached ? "in use" : "",
    active === "" ? "" : active === "now" ? "active now" : `active ${active} ago`,
    told === "" ? "" : `since ${told.replace(/ ago$/, "")}`,
  ]
    .filter((text) => text !== "")
    .join(", ");
}

function dateOf(seconds: string): string | undefined {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** The name for a new session: the given one, or the first of "web", "web-2", ... that is free. */
export function newName(given: string, sessions: readonly MultiplexerSession[]): string {
  if (given !== "") return given;
  const taken = new Set(sessions.map(({ name }) => name.replace(/^\d+\./, "")));
  for (let number = 1; ; number++) {
    const name = number === 1 ? "web" : `web-${number}`;
    if (!taken.has(name)) return name;
  }
}
