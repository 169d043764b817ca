/**
 * The WebSocket of one session on a page. It reconnects by itself; output continues where it stopped or with a redraw,
 * and input is kept until the server has accepted it.
 */

import { delay_ms } from "./backoff.js";
import { socketAddress } from "./base.js";
import {
  type Access,
  type Appearance,
  CLOSE_ABNORMAL,
  CLOSE_LOGIN_OVER,
  CLOSE_NORMAL,
  CLOSE_POLICY,
  CLOSE_PROTOCOL,
  CLOSE_PUT_OUT,
  CLOSE_SESSION_REMOVED,
  type Exit,
  type Hello,
  type Lines,
  MAX_LINES,
  type Presence,
  ProtocolError,
  type Redraw,
  SUBPROTOCOL,
  type ServerMessage,
  decode,
  encode,
  readPresence,
} from "./protocol.js";
import type { Request } from "./scrollback.js";

export const INPUT_CHUNK = 32 * 1024; // bytes of input per message; the server takes messages of up to 64 KiB
export const PENDING_LIMIT = 64 * 1024 * 1024; // bytes of unaccepted input; more than any paste
const BUFFERED_LIMIT = 256 * 1024; // bytes that wait in the browser for the network
const BUFFERED_POLL_MS = 20; // WebSocket has no event for a drained buffer
const ACK_IDLE_MS = 250; // the last bytes of a burst are acknowledged after this pause
const CONNECT_TIMEOUT_MS = 10_000; // until hello
const FIRST_PING_MS = 1000; // earlier, the browser is busy with the first frame, and the latency would include that
const PING_INTERVAL_MS = 10_000;
const SILENCE_MS = 6_000; // after an unanswered ping the link is dead, whatever the browser says
const ASLEEP_MS = 15_000; // until the next attempt; an event usually says sooner that the session has started
const STABLE_MS = 5_000; // a connection of this age resets the backoff

const OPEN = 1; // WebSocket.OPEN

export interface Viewport {
  readonly rows: number;
  readonly cols: number;
}

/**
 * connecting    an attempt is under way
 * open          hello has arrived
 * waiting       the connection is lost; the next attempt comes by itself
 * asleep        the session has not started, and this client may not start it; the next attempt comes by itself, or
 *               with wake()
 * ended         the session has ended and all its output has arrived
 * unauthorized  the login is missing or over
 * forbidden     the login is valid, but not for this session
 * out           this client was put out of the session; start() tries to come back
 * missing       the session does not exist
 */
export type SocketState =
  | "connecting"
  | "open"
  | "waiting"
  | "asleep"
  | "ended"
  | "unauthorized"
  | "forbidden"
  | "out"
  | "missing";

/** The REST API's answer about the session after a failed upgrade; the browser hides the HTTP status of that. */
export type Probe = "ok" | "asleep" | "unauthorized" | "forbidden" | "missing" | "unreachable";

export interface SocketListener {
  state(state: SocketState, reason: string): void;
  /** `fresh`: the stream does not continue the earlier one, so the screen has to be cleared. */
  hello(hello: Hello, fresh: boolean): void;
  /** Output that ends at offset `end`, or damage. The listener calls drawn(end) when it is on the screen. */
  output(data: Uint8Array, end: bigint): void;
  /**
   * A redraw replaces the screen. The listener calls drawn(redraw.offset) when it is drawn. `continues`: ask() asked
   * for it, and no output is missing before it.
   */
  redraw(redraw: Redraw, continues: boolean): void;
  /** A piece of the lines that ask() asked for. */
  lines(lines: Lines): void;
  /** The last ask() gets no answer. */
  unanswered(): void;
  resize(rows: number, cols: number, owner: boolean): void;
  titled(title: string): void;
  /** Whether this client may type, and its id in presence: after hello, and after each change. */
  access(access: Access): void;
  /** The attached clients. */
  present(presence: Presence): void;
  exit(exit: Exit): void;
  error(code: number, text: string): void;
  latency(latency_ms: number): void;
}

/** The part of WebSocket that SessionSocket uses. */
export interface Wire {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export interface SocketOptions {
  readonly sessionId: string;
  readonly clientId: string;
  readonly viewport: () => Viewport;
  readonly appearance: () => Appearance;
  readonly probe: () => Promise<Probe>;
  readonly listener: SocketListener;
  readonly connect?: (path: string, subprotocol: string) => Wire;
  readonly random?: () => number;
}

const OVER: ReadonlySet<SocketState> = new Set(["ended", "missing", "forbidden", "out"]);

/** The closes after which the client does not connect again by itself. */
const FINAL: ReadonlyMap<number, SocketState> = new Map([
  [CLOSE_NORMAL, "ended"],
  [CLOSE_LOGIN_OVER, "unauthorized"],
  [CLOSE_PUT_OUT, "out"],
  [CLOSE_SESSION_REMOVED, "missing"],
]);

export class SessionSocket {
  private wire: Wire | undefined;
  private current: SocketState = "connecting";
  private attempt = 0;
  private closed = false;
  private reason = "";

  private received: bigint | undefined; // end of the output that has arrived; undefined: no hello yet
  private drawnTo = 0n;
  private acked = 0n;
  private owed: bigint | undefined; // offset of a redraw to acknowledge as soon as it is drawn
  private refreshing = false; // ask() has asked for a redraw
  private archive: Wire | undefined; // a second connection to an ended session, for its scrollback
  private window = 0;

  private pending: Uint8Array[] = []; // input that the server has not accepted, oldest first
  private pendingBytes = 0;
  private base: bigint | undefined; // input offset of the first pending byte; undefined before the first hello
  private sentChunks = 0; // how many of `pending` this connection has sent
  private writable = true;
  private live = false; // hello has arrived on this connection
  private told = { rows: 0, cols: 0, hidden: false }; // what the server knows of this client's window
  private toldAppearance = ""; // in hexadecimal

  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private ackTimer: ReturnType<typeof setTimeout> | undefined;
  private flushTimer: ReturnType<typeof setTimeout> | undefined;
  private pingTimer: ReturnType<typeof setTimeout> | undefined;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private stableTimer: ReturnType<typeof setTimeout> | undefined;
  private pings = 0;
  private pingSent_ms = 0;
  private visible = true;

  constructor(private readonly options: SocketOptions) {}

  get state(): SocketState {
    return this.current;
  }

  /** End of the output that has arrived. */
  get offset(): bigint {
    return this.received ?? 0n;
  }

  /** Bytes of input that the server has not accepted yet. */
  get unaccepted(): number {
    return this.pendingBytes;
  }

  /** Connect; also after this client was put out. */
  start(): void {
    if (!this.closed) this.open();
  }

  /** Disconnect for good. */
  close(): void {
    this.closed = true;
    clearTimeout(this.retryTimer);
    this.drop();
    this.closeArchive();
  }

  /** Between two attempts, connect at once; when connected, check the link with a ping. */
  wake(): void {
    if (this.closed) return;
    if (this.current === "waiting" || this.current === "asleep") {
      clearTimeout(this.retryTimer);
      this.attempt = 0;
      this.open();
    } else if (this.live) {
      this.ping();
    }
  }

  /** Whether the user can see the page. Only then does it send pings, and hold the session's size against others. */
  setVisible(visible: boolean): void {
    if (this.visible === visible) return;
    this.visible = visible;
    this.resize();
    if (visible) {
      this.wake();
    } else {
      clearTimeout(this.pingTimer);
      clearTimeout(this.deadline); // a hidden page's timers are late; wake() checks the link when it is visible again
    }
  }

  /**
   * Queue input. It is sent now or on the next connection, and kept until the server has accepted it. Returns false,
   * and queues nothing, if this client may not type, the session is over, or PENDING_LIMIT would be exceeded.
   */
  send(data: Uint8Array): boolean {
    if (!this.writable || this.closed || OVER.has(this.current)) return false;
    if (this.pendingBytes + data.length > PENDING_LIMIT) return false;
    for (let start = 0; start < data.length; start += INPUT_CHUNK) {
      this.pending.push(data.slice(start, start + INPUT_CHUNK));
    }
    this.pendingBytes += data.length;
    this.flush();
    return true;
  }

  /** State the viewport, and whether it can be seen, if the server does not know that yet. */
  resize(): void {
    const { rows, cols } = this.options.viewport();
    const { told, visible } = this;
    if (rows !== told.rows || cols !== told.cols || visible === told.hidden) this.stateViewport(false);
  }

  /** Give the session this client's viewport, whichever client owns the size. */
  takeSize(): void {
    this.stateViewport(true);
  }

  /** State the theme and the size of the cells, if the server does not know them yet. */
  restyle(): void {
    const message = encode({ type: "appearance", ...this.options.appearance() });
    const appearance = hexadecimal(message);
    if (!this.live || !this.writable || this.wire?.readyState !== OPEN || appearance === this.toldAppearance) return;
    this.toldAppearance = appearance;
    this.wire.send(message);
  }

  private stateViewport(takeSize: boolean): void {
    if (!this.live || !this.writable || this.wire?.readyState !== OPEN) return;
    const { rows, cols } = this.options.viewport();
    this.told = { rows, cols, hidden: !this.visible };
    this.wire.send(encode({ type: "resize", ...this.told, takeSize }));
  }

  /** The listener has drawn output up to `offset`. */
  drawn(offset: bigint): void {
    if (offset > this.drawnTo && offset <= this.offset) this.drawnTo = offset; // an offset of an earlier stream is ignored
    if (!this.live) return;
    if (this.owed !== undefined && this.drawnTo >= this.owed) {
      this.ack();
      return;
    }
    // A quarter of the window, so that the server never stops for an ack that is still under way.
    if (this.drawnTo - this.acked >= BigInt(Math.floor(this.window / 4))) this.ack();
    else if (this.ackTimer === undefined) this.ackTimer = setTimeout(() => this.ack(), ACK_IDLE_MS);
  }

  /** Ask for older lines or for a redraw. Returns whether an answer, or unanswered(), follows. */
  ask(request: Request): boolean {
    if (this.current === "ended") {
      if (!this.archive) this.openArchive(request); // an open one brings all lines
      return true;
    }
    if (!this.live || this.wire?.readyState !== OPEN) return false;
    if (request.type === "redraw") this.refreshing = true;
    const { type, before, count } = request;
    this.wire.send(encode(type === "redraw" ? { type } : { type, before, count }));
    return true;
  }

  private ack(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = undefined;
    if (!this.live || this.wire?.readyState !== OPEN) return;
    if (this.drawnTo <= this.acked && this.owed === undefined) return;
    this.owed = undefined;
    this.acked = this.drawnTo;
    this.wire.send(encode({ type: "ack", offset: this.acked }));
  }

  private open(): void {
    this.drop();
    const { rows, cols } = this.options.viewport();
    this.told = { rows, cols, hidden: false };
    const query = new URLSearchParams({ sessionId: this.options.sessionId, client: this.options.clientId });
    if (rows > 0 && cols > 0) {
      query.set("rows", String(rows));
      query.set("cols", String(cols));
    }
    this.toldAppearance = hexadecimal(encode({ type: "appearance", ...this.options.appearance() }));
    query.set("appearance", this.toldAppearance.slice(2)); // without the type
    if (this.received !== undefined) query.set("since", String(this.received));
    this.setState("connecting");
    const wire = (this.options.connect ?? connect)(`/ws?${query}`, SUBPROTOCOL);
    this.wire = wire;
    wire.binaryType = "arraybuffer";
    let opened = false;
    wire.onopen = () => {
      opened = true;
    };
    wire.onmessage = (event: MessageEvent<unknown>) => this.take(event.data);
    wire.onclose = (event) => this.lost(event.code, event.reason, opened);
    this.deadline = setTimeout(() => this.lost(CLOSE_ABNORMAL, "no answer", true), CONNECT_TIMEOUT_MS);
  }

  /** Close the connection without telling the listener. */
  private drop(): void {
    for (const timer of [this.ackTimer, this.flushTimer, this.pingTimer, this.deadline, this.stableTimer]) {
      clearTimeout(timer);
    }
    this.ackTimer = undefined;
    this.flushTimer = undefined;
    this.live = false;
    const { wire } = this;
    this.wire = undefined;
    if (!wire) return;
    wire.onopen = wire.onmessage = wire.onclose = null;
    wire.close(CLOSE_NORMAL);
  }

  private take(data: unknown): void {
    clearTimeout(this.deadline);
    let message: ServerMessage;
    try {
      if (!(data instanceof ArrayBuffer)) throw new ProtocolError("expected a binary message, got text");
      message = decode(data);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.lost(CLOSE_PROTOCOL, error.message, true);
      return;
    }
    this.dispatch(message);
  }

  private dispatch(message: ServerMessage): void {
    const { listener } = this.options;
    switch (message.type) {
      case "hello":
        this.welcome(message);
        break;
      case "output": {
        const end = message.offset + BigInt(message.data.length);
        const from = this.received ?? message.offset;
        if (end <= from) break; // nothing new
        // The server does not repeat output; if it did, nothing would be drawn twice.
        const data = message.offset < from ? message.data.subarray(Number(from - message.offset)) : message.data;
        this.received = end;
        listener.output(data, end);
        break;
      }
      case "redraw": {
        const continues = this.refreshing && message.offset === this.received;
        this.refreshing = false;
        this.received = message.offset;
        this.owed = message.offset;
        listener.redraw(message, continues);
        break;
      }
      case "damage":
        this.received = message.offset;
        this.owed = message.offset;
        listener.output(message.data, message.offset);
        break;
      case "lines":
        listener.lines(message);
        break;
      case "resize":
        listener.resize(message.rows, message.cols, message.owner);
        break;
      case "title":
        listener.titled(message.title);
        break;
      case "exit":
        listener.exit(message);
        break;
      case "error":
        listener.error(message.code, message.text);
        break;
      case "pong":
        listener.latency(performance.now() - this.pingSent_ms);
        break;
      case "accepted":
        this.accept(message.offset);
        this.flush();
        break;
      case "access":
        this.permit(message.writable);
        listener.access(message);
        break;
      case "presence": {
        const presence = readPresence(message.text);
        if (presence) listener.present(presence);
        break;
      }
      case "unknown":
        break;
    }
  }

  private welcome(hello: Hello): void {
    const fresh = hello.start !== this.received;
    if (fresh) this.drawnTo = hello.start; // earlier output belongs to another stream
    this.received = hello.start;
    this.acked = hello.start;
    this.owed = undefined;
    this.refreshing = false;
    this.window = hello.window;
    this.writable = hello.writable;
    this.live = true;
    this.continueInput(hello.accepted);
    this.stableTimer = setTimeout(() => (this.attempt = 0), STABLE_MS);
    this.options.listener.unanswered();
    this.options.listener.hello(hello, fresh);
    this.setState("open");
    this.flush();
    this.resize();
    this.restyle();
    this.pingTimer = setTimeout(() => this.ping(), FIRST_PING_MS);
  }

  /** Continue the pending input at the server's offset, without the bytes that it has accepted. */
  private continueInput(accepted: bigint): void {
    const end = this.base === undefined ? undefined : this.base + BigInt(this.pendingBytes);
    if (this.base !== undefined && end !== undefined && accepted >= this.base && accepted <= end) this.accept(accepted);
    else this.base = accepted; // a new page, or the server does not remember this client: it has none of the input
    this.sentChunks = 0;
    if (!this.writable) this.forgetInput();
  }

  /** The right to type is given or taken. Both ends drop pending input then, so that it cannot run later. */
  private permit(writable: boolean): void {
    if (this.writable === writable) return;
    this.writable = writable;
    this.forgetInput();
    if (!writable) return;
    this.stateViewport(false);
    this.restyle();
  }

  private forgetInput(): void {
    // The server discards input that was sent without the right, but counts it: the next offset is after it.
    const sent = this.pending.slice(0, this.sentChunks).reduce((sum, chunk) => sum + chunk.length, 0);
    if (this.base !== undefined) this.base += BigInt(sent);
    this.pending = [];
    this.pendingBytes = 0;
    this.sentChunks = 0;
  }

  /** Forget pending input below `offset`. */
  private accept(offset: bigint): void {
    if (this.base === undefined) return;
    let bytes = Number(offset - this.base);
    if (bytes <= 0 || bytes > this.pendingBytes) return;
    this.base = offset;
    this.pendingBytes -= bytes;
    let whole = 0;
    for (const chunk of this.pending) {
      if (chunk.length > bytes) break;
      bytes -= chunk.length;
      whole += 1;
    }
    this.pending.splice(0, whole);
    this.sentChunks = Math.max(0, this.sentChunks - whole);
    const first = this.pending[0];
    if (first && bytes > 0) this.pending[0] = first.subarray(bytes);
  }

  private flush(): void {
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    const { wire } = this;
    if (!wire || !this.live || wire.readyState !== OPEN || this.base === undefined) return;
    let offset = this.base;
    for (const chunk of this.pending.slice(0, this.sentChunks)) offset += BigInt(chunk.length);
    for (const chunk of this.pending.slice(this.sentChunks)) {
      if (wire.bufferedAmount > BUFFERED_LIMIT) {
        this.flushTimer = setTimeout(() => this.flush(), BUFFERED_POLL_MS);
        return;
      }
      wire.send(encode({ type: "input", offset, data: chunk }));
      offset += BigInt(chunk.length);
      this.sentChunks += 1;
    }
  }

  private ping(): void {
    clearTimeout(this.pingTimer);
    if (!this.visible || !this.live || this.wire?.readyState !== OPEN) return;
    this.pingSent_ms = performance.now();
    this.pings = (this.pings + 1) & 0xff;
    this.wire.send(encode({ type: "ping", data: Uint8Array.of(this.pings) }));
    clearTimeout(this.deadline);
    this.deadline = setTimeout(() => this.lost(CLOSE_ABNORMAL, "no answer", true), SILENCE_MS);
    this.pingTimer = setTimeout(() => this.ping(), PING_INTERVAL_MS);
  }

  /** The connection is over; choose the next state. `opened`: the upgrade had succeeded. */
  private lost(code: number, reason: string, opened: boolean): void {
    this.drop();
    if (this.closed) return;
    this.reason = reason;
    const over = FINAL.get(code);
    if (over) this.setState(over);
    else if (opened && code !== CLOSE_POLICY) this.retry();
    else void this.inquire();
  }

  /**
   * The server closes a connection to an ended session after its last screen. This second connection brings that screen
   * again and the lines above it; its other messages are known and ignored.
   */
  private openArchive(request: Request): void {
    const lines = Math.min(MAX_LINES, request.depth + request.count);
    const query = new URLSearchParams({
      sessionId: this.options.sessionId,
      permission: "view",
      scrollback: String(lines),
    });
    const { listener } = this.options;
    const wire = (this.options.connect ?? connect)(`/ws?${query}`, SUBPROTOCOL);
    this.archive = wire;
    wire.binaryType = "arraybuffer";
    wire.onmessage = (event: MessageEvent<unknown>) => {
      if (!(event.data instanceof ArrayBuffer)) return;
      const message = decode(event.data);
      if (message.type === "redraw") listener.redraw(message, message.offset === this.received);
      if (message.type !== "lines") return;
      if (message.last) this.closeArchive(); // first, because the listener may ask for more
      listener.lines(message);
    };
    wire.onclose = () => {
      this.closeArchive();
      listener.unanswered();
    };
  }

  private closeArchive(): void {
    const { archive } = this;
    this.archive = undefined;
    if (!archive) return;
    archive.onopen = archive.onmessage = archive.onclose = null;
    archive.close(CLOSE_NORMAL);
  }

  /** Ask the REST API why the server refused or ended the connection. */
  private async inquire(): Promise<void> {
    this.setState("waiting");
    const answer = await this.options.probe();
    if (this.closed || this.current !== "waiting" || this.wire) return;
    if (answer === "asleep") this.sleep();
    else if (answer === "ok" || answer === "unreachable") this.retry();
    else this.setState(answer);
  }

  private sleep(): void {
    this.setState("asleep");
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.open(), ASLEEP_MS);
  }

  private retry(): void {
    this.setState("waiting");
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.open(), delay_ms(this.attempt++, this.options.random));
  }

  private setState(state: SocketState): void {
    if (state === this.current && state !== "waiting") return;
    this.current = state;
    this.options.listener.state(state, this.reason);
  }
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function connect(path: string, subprotocol: string): Wire {
  return new WebSocket(socketAddress(path), subprotocol);
}
