/** The server's events, over a WebSocket that is connected again whenever it is lost. */

import type { Notice, Progress, Session } from "./api.js";
import { mayNotify } from "./attention.js";
import { delay_ms } from "./backoff.js";
import { socketAddress } from "./base.js";

export interface ServerEvent {
  readonly type: string;
  readonly timestamp?: string;
  readonly sessionId?: string;
  readonly session?: Session;
  readonly title?: string;
  readonly count?: number;
  /** Of a `clipboard` event: the text that a program wants to copy. */
  readonly text?: string;
  readonly progress?: Progress | null;
  /** null: the program has withdrawn the newest. */
  readonly notification?: Notice | null;
}

export interface EventListenerSet {
  /** Connected, for the first time or again. Events in between are lost. */
  readonly onOpen: () => void;
  readonly onEvent: (event: ServerEvent) => void;
  readonly onLost: () => void;
}

const PATH = "/api/events";

const OPEN = 1; // WebSocket.OPEN

/**
 * A WebSocket and no EventSource: of HTTP/1.1 connections to a server, browsers allow six over all windows, and a
 * stream would hold one as long as its window is open. A hidden page needs no events, and does not listen,
 * unless the user has allowed notifications.
 */
export class EventFeed {
  private socket: WebSocket | undefined;
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
    if (unseen()) this.disconnect();
    else this.retryNow();
  }

  private retryNow(): void {
    if (unseen() || this.socket?.readyState === OPEN) return;
    this.attempt = 0;
    this.connect();
  }

  private connect(): void {
    this.disconnect();
    const socket = new WebSocket(socketAddress(PATH));
    this.socket = socket;
    socket.onopen = () => {
      this.attempt = 0;
      this.listeners.onOpen();
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      const event = parseEvent(message.data);
      if (event) this.listeners.onEvent(event);
    };
    socket.onclose = () => {
      this.disconnect();
      this.timer = setTimeout(() => this.connect(), delay_ms(this.attempt++));
      this.listeners.onLost();
    };
  }

  private disconnect(): void {
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}

/** Whether nothing that happens could be shown. */
function unseen(): boolean {
  return document.visibilityState === "hidden" && !mayNotify();
}

/** The event in a message; undefined if it has none. */
export function parseEvent(data: unknown): ServerEvent | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== "object" || value === null || !("type" in value)) return undefined;
    return typeof value.type === "string" ? (value as ServerEvent) : undefined;
  } catch {
    return undefined;
  }
}
