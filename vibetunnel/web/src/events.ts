/** The server's events (SSE), connected again whenever the connection is lost. */

import type { Session } from "./api.js";
import { delay_ms } from "./backoff.js";
import { href } from "./base.js";

export interface ServerEvent {
  readonly type: string;
  readonly timestamp?: string;
  readonly sessionId?: string;
  readonly session?: Session;
  readonly title?: string;
  readonly count?: number;
  /** Of a `clipboard` event: the text that a program wants to copy. */
  readonly text?: string;
}

export interface EventListenerSet {
  /** Connected, for the first time or again. Events in between are lost. */
  readonly onOpen: () => void;
  readonly onEvent: (event: ServerEvent) => void;
  readonly onLost: () => void;
}

const PATH = "/api/events";

/** While the page is hidden the stream is closed: browsers allow six connections to a server, over all tabs. */
export class EventFeed {
  private source: EventSource | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private readonly stopping = new AbortController();

  constructor(private readonly listeners: EventListenerSet) {}

  start(): void {
    const { signal } = this.stopping;
    document.addEventListener("visibilitychange", () => this.follow(), { signal });
    addEventListener("online", () => this.retryNow(), { signal });
    this.follow();
  }

  stop(): void {
    this.stopping.abort();
    this.disconnect();
  }

  private follow(): void {
    if (document.visibilityState === "hidden") this.disconnect();
    else this.retryNow();
  }

  private retryNow(): void {
    if (document.visibilityState === "hidden" || this.source?.readyState === EventSource.OPEN) return;
    this.attempt = 0;
    this.connect();
  }

  private connect(): void {
    this.disconnect();
    const source = new EventSource(href(PATH));
    this.source = source;
    source.onopen = () => {
      this.attempt = 0;
      this.listeners.onOpen();
    };
    source.onmessage = (message: MessageEvent<string>) => {
      const event = parseEvent(message.data);
      if (event) this.listeners.onEvent(event);
    };
    source.onerror = () => {
      // EventSource's own retries end at the first HTTP error, so every retry is made here.
      this.disconnect();
      this.timer = setTimeout(() => this.connect(), delay_ms(this.attempt++));
      this.listeners.onLost();
    };
  }

  private disconnect(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
  }
}

/** The event in a message; undefined if it has none. */
export function parseEvent(data: string): ServerEvent | undefined {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== "object" || value === null || !("type" in value)) return undefined;
    return typeof value.type === "string" ? (value as ServerEvent) : undefined;
  } catch {
    return undefined;
  }
}
