/**
 * The messages of the WebSocket subprotocol vibetunnel.v1: bytes to objects and back, without any I/O.
 *
 * docs/protocol.md is the reference; tests/vectors/v1.json has the examples that every implementation must pass.
 * Offsets are bigint: they are 64-bit on the wire.
 */

export const SUBPROTOCOL = "vibetunnel.v1";
export const VERSION = 1;
export const PING_LIMIT = 64; // bytes a ping may carry
export const LINES_LIMIT = 10_000; // lines that one request may ask for

const OUTPUT = 0x01;
const REDRAW = 0x02;
const HELLO = 0x03;
const RESIZE = 0x04;
const TITLE = 0x05;
const EXIT = 0x06;
const ERROR = 0x07;
const PONG = 0x08;
const ACCEPTED = 0x09;
const PRESENCE = 0x0a;
const LINES = 0x0b;
const ACCESS = 0x0c;

const SEND_INPUT = 0x81;
const SEND_RESIZE = 0x82;
const SEND_ACK = 0x83;
const SEND_PING = 0x84;
const SEND_LINES = 0x85;
const SEND_REDRAW = 0x86;

const WRITABLE = 1;
const HELLO_OWNER = 2;
const RESIZE_OWNER = 1;
const REDRAW_ALTERNATE = 1;
const LINES_LAST = 1;
const LINES_WRAPPED = 2;

export interface Hello {
  readonly type: "hello";
  readonly version: number;
  /** Whether this client may type. */
  readonly writable: boolean;
  /** Whether the session has this client's size. */
  readonly owner: boolean;
  readonly rows: number;
  readonly cols: number;
  /** Offset of the first output byte that follows. */
  readonly start: bigint;
  /** End of what was printed before the attach; below it is history. */
  readonly live: bigint;
  /** Offset at which this client's input continues. */
  readonly accepted: bigint;
  /** Bytes of output that may be sent ahead of the last ack. */
  readonly window: number;
}

/** The whole terminal. Line numbers are absolute; they begin anew with every change of size. */
export interface Redraw {
  readonly type: "redraw";
  /** Offset at which the output goes on. */
  readonly offset: bigint;
  /** The line that is the first of the screen. */
  readonly top: bigint;
  /** The oldest line that can be asked for; `top`: there is no scrollback. */
  readonly oldest: bigint;
  readonly rows: number;
  readonly cols: number;
  /** Whether the alternate screen is on. */
  readonly alternate: boolean;
  /** For a terminal that has just been reset to this size. */
  readonly data: Uint8Array;
}

/** A piece of scrollback: the lines from `first` up to `first + count`. */
export interface Lines {
  readonly type: "lines";
  readonly first: bigint;
  readonly count: number;
  readonly oldest: bigint;
  /** Nothing more follows of what was asked for. */
  readonly last: boolean;
  /** The last line goes on in the one behind it. */
  readonly wrapped: boolean;
  readonly data: Uint8Array;
}

export interface Exit {
  readonly type: "exit";
  /** The exit code; 128+N after signal N; -1 if the program never ran. */
  readonly code: number;
  /** 0: none. */
  readonly signal: number;
  readonly reason: string;
}

/** Somebody who is attached to the session. */
export interface Person {
  /** As in their own Access. */
  readonly id: string;
  readonly user: string;
  readonly role: "owner" | "writer" | "viewer" | "guest";
  readonly writable: boolean;
  readonly guest: boolean;
  /** ISO 8601. */
  readonly since: string;
}

/** Who is there; `more`: how many beside them. */
export interface Presence {
  readonly people: readonly Person[];
  readonly more: number;
}

/** Whether this client may type from now on, and its id in Presence. */
export interface Access {
  readonly type: "access";
  readonly writable: boolean;
  readonly id: string;
}

/** What the server sends. `unknown` is to be ignored: a newer server may say more. */
export type ServerMessage =
  | { readonly type: "output"; readonly offset: bigint; readonly data: Uint8Array }
  | Redraw
  | Lines
  | Hello
  | { readonly type: "resize"; readonly rows: number; readonly cols: number; readonly owner: boolean }
  | { readonly type: "title"; readonly title: string }
  | Exit
  | { readonly type: "error"; readonly code: number; readonly text: string }
  | { readonly type: "pong"; readonly data: Uint8Array }
  | { readonly type: "accepted"; readonly offset: bigint }
  | { readonly type: "presence"; readonly text: string }
  | Access
  | { readonly type: "unknown"; readonly kind: number };

export type ClientMessage =
  | { readonly type: "input"; readonly offset: bigint; readonly data: Uint8Array }
  | { readonly type: "resize"; readonly rows: number; readonly cols: number }
  | { readonly type: "ack"; readonly offset: bigint }
  | { readonly type: "ping"; readonly data: Uint8Array }
  | { readonly type: "lines"; readonly before: bigint; readonly count: number }
  | { readonly type: "redraw" };

export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

const SHORTEST: Readonly<Record<number, number>> = {
  [OUTPUT]: 9,
  [REDRAW]: 30,
  [HELLO]: 35,
  [RESIZE]: 6,
  [EXIT]: 6,
  [ERROR]: 3,
  [ACCEPTED]: 9,
  [LINES]: 22,
  [ACCESS]: 2,
};

/** Decode one message. Byte fields are views into `buffer`, not copies. Throws ProtocolError. */
export function decode(buffer: ArrayBuffer): ServerMessage {
  const view = new DataView(buffer);
  if (view.byteLength === 0) throw new ProtocolError("expected a message with a type byte, got an empty one");
  const kind = view.getUint8(0);
  const shortest = SHORTEST[kind] ?? 1;
  if (view.byteLength < shortest) {
    throw new ProtocolError(`expected at least ${shortest} bytes in a message of type ${kind}, got ${view.byteLength}`);
  }
  switch (kind) {
    case OUTPUT:
      return { type: "output", offset: view.getBigUint64(1), data: new Uint8Array(buffer, 9) };
    case REDRAW:
      return {
        type: "redraw",
        offset: view.getBigUint64(1),
        top: view.getBigUint64(9),
        oldest: view.getBigUint64(17),
        rows: view.getUint16(25),
        cols: view.getUint16(27),
        alternate: (view.getUint8(29) & REDRAW_ALTERNATE) !== 0,
        data: new Uint8Array(buffer, 30),
      };
    case LINES:
      return {
        type: "lines",
        first: view.getBigUint64(1),
        count: view.getUint32(9),
        oldest: view.getBigUint64(13),
        last: (view.getUint8(21) & LINES_LAST) !== 0,
        wrapped: (view.getUint8(21) & LINES_WRAPPED) !== 0,
        data: new Uint8Array(buffer, 22),
      };
    case HELLO:
      return {
        type: "hello",
        version: view.getUint8(1),
        writable: (view.getUint8(2) & WRITABLE) !== 0,
        owner: (view.getUint8(2) & HELLO_OWNER) !== 0,
        rows: view.getUint16(3),
        cols: view.getUint16(5),
        start: view.getBigUint64(7),
        live: view.getBigUint64(15),
        accepted: view.getBigUint64(23),
        window: view.getUint32(31),
      };
    case RESIZE:
      return {
        type: "resize",
        rows: view.getUint16(1),
        cols: view.getUint16(3),
        owner: (view.getUint8(5) & RESIZE_OWNER) !== 0,
      };
    case TITLE:
      return { type: "title", title: text(buffer, 1) };
    case EXIT:
      return { type: "exit", code: view.getInt32(1), signal: view.getUint8(5), reason: text(buffer, 6) };
    case ERROR:
      return { type: "error", code: view.getUint16(1), text: text(buffer, 3) };
    case PONG:
      return { type: "pong", data: new Uint8Array(buffer, 1) };
    case ACCEPTED:
      return { type: "accepted", offset: view.getBigUint64(1) };
    case PRESENCE:
      return { type: "presence", text: text(buffer, 1) };
    case ACCESS:
      return { type: "access", writable: (view.getUint8(1) & WRITABLE) !== 0, id: text(buffer, 2) };
    default:
      return { type: "unknown", kind };
  }
}

/** Read the text of a presence message; undefined when it is not what docs/protocol.md says. */
export function readPresence(text: string): Presence | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || !Array.isArray(value["people"]) || !value["people"].every(isPerson)) return undefined;
  const { people, more } = value;
  return { people, more: typeof more === "number" ? more : 0 };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

const ROLES: readonly unknown[] = ["owner", "writer", "viewer", "guest"] satisfies Person["role"][];

function isPerson(value: unknown): value is Person {
  return (
    isObject(value) &&
    typeof value["id"] === "string" &&
    typeof value["user"] === "string" &&
    ROLES.includes(value["role"]) &&
    typeof value["writable"] === "boolean" &&
    typeof value["guest"] === "boolean" &&
    typeof value["since"] === "string"
  );
}

/** Encode one message. Throws ProtocolError for a field that does not fit. */
export function encode(message: ClientMessage): Uint8Array<ArrayBuffer> {
  switch (message.type) {
    case "input": {
      const bytes = withOffset(SEND_INPUT, message.offset, message.data.length);
      bytes.set(message.data, 9);
      return bytes;
    }
    case "resize": {
      const bytes = new Uint8Array(5);
      const view = new DataView(bytes.buffer);
      view.setUint8(0, SEND_RESIZE);
      view.setUint16(1, fitting(message.rows, 0xffff, "rows"));
      view.setUint16(3, fitting(message.cols, 0xffff, "cols"));
      return bytes;
    }
    case "ack":
      return withOffset(SEND_ACK, message.offset, 0);
    case "ping": {
      fitting(message.data.length, PING_LIMIT, "the length of a ping");
      const bytes = new Uint8Array(1 + message.data.length);
      bytes[0] = SEND_PING;
      bytes.set(message.data, 1);
      return bytes;
    }
    case "lines": {
      const bytes = withOffset(SEND_LINES, message.before, 4);
      new DataView(bytes.buffer).setUint32(9, fitting(message.count, LINES_LIMIT, "the number of lines"));
      return bytes;
    }
    case "redraw":
      return Uint8Array.of(SEND_REDRAW);
  }
}

function withOffset(kind: number, offset: bigint, length: number): Uint8Array<ArrayBuffer> {
  if (offset < 0n || offset >= 1n << 64n) throw new ProtocolError(`expected an offset of 64 bits, got ${offset}`);
  const bytes = new Uint8Array(9 + length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setBigUint64(1, offset);
  return bytes;
}

function fitting(value: number, limit: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > limit) {
    throw new ProtocolError(`expected ${name} from 0 to ${limit}, got ${value}`);
  }
  return value;
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function text(buffer: ArrayBuffer, start: number): string {
  return utf8.decode(new Uint8Array(buffer, start));
}
