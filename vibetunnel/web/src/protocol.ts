/**
 * The messages of the WebSocket subprotocol vibetunnel.v1: bytes to objects and back, without any I/O.
 *
 * docs/protocol.md is the reference. vibetunnel/protocol.py and ext/wire/v1.pxd have the same names, and
 * tests/vectors/v1.json tests all three. Offsets are bigint: they are 64-bit on the wire.
 */

export const SUBPROTOCOL = "vibetunnel.v1";
export const VERSION = 1;
export const MAX_PING = 64; // bytes
export const MAX_LINES = 10_000; // per request
export const MAX_CELL = 1000; // pixels
export const THEME_COLOURS = 19; // of an appearance: 16 of the palette, foreground, background, cursor

// Message types: the first byte
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
const DAMAGE = 0x0d;
const INPUT = 0x81;
const RESIZE_REQUEST = 0x82;
const ACK = 0x83;
const PING = 0x84;
const LINES_REQUEST = 0x85;
const REDRAW_REQUEST = 0x86;
const APPEARANCE = 0x87;

// Flags
const MAY_TYPE = 1; // hello, access
const OWNS_SIZE = 2; // hello
const RESIZE_OWNS_SIZE = 1; // resize
const ALTERNATE_SCREEN = 1; // redraw
const LAST_PIECE = 1; // lines
const WRAPPED = 2; // lines
const TAKE_SIZE = 1; // resize request
const HIDDEN = 2; // resize request
const DARK = 1; // appearance

// Codes of error messages
export const ERROR_READ_ONLY = 1;
export const ERROR_MALFORMED = 2;
export const ERROR_INPUT_GAP = 3;

// Close codes: what a client does about each is in docs/protocol.md
export const CLOSE_NORMAL = 1000;
export const CLOSE_PROTOCOL = 1002;
export const CLOSE_ABNORMAL = 1006;
export const CLOSE_POLICY = 1008;
export const CLOSE_LOGIN_OVER = 4401;
export const CLOSE_PUT_OUT = 4403;
export const CLOSE_SESSION_REMOVED = 4404;

export interface Hello {
  readonly type: "hello";
  readonly version: number;
  /** Whether this client may type. */
  readonly writable: boolean;
  /** Whether this client owns the size. */
  readonly owner: boolean;
  readonly rows: number;
  readonly cols: number;
  /** Offset of the first output byte that follows. */
  readonly start: bigint;
  /** End of the output printed before the attach. */
  readonly live: bigint;
  /** Offset at which this client's input continues. */
  readonly accepted: bigint;
  /** Bytes of output that the server sends beyond the last ack. */
  readonly window: number;
}

/** The whole terminal. Line numbers are absolute; a change of size renumbers them. */
export interface Redraw {
  readonly type: "redraw";
  /** Offset at which the output goes on. */
  readonly offset: bigint;
  /** The screen's first line. */
  readonly top: bigint;
  /** The oldest line kept; `top`: no scrollback. */
  readonly oldest: bigint;
  readonly rows: number;
  readonly cols: number;
  /** Whether the alternate screen is on. */
  readonly alternate: boolean;
  /** For a terminal that was just reset to this size. */
  readonly data: Uint8Array;
}

/** What has changed on the screen since the message before. It takes the place of output. */
export interface Damage {
  readonly type: "damage";
  /** Offset at which the output goes on. */
  readonly offset: bigint;
  /** The screen's first line. */
  readonly top: bigint;
  /** The oldest line kept. */
  readonly oldest: bigint;
  /** For the terminal as it is. */
  readonly data: Uint8Array;
}

/** A piece of scrollback: the lines from `first` up to `first + count`. */
export interface Lines {
  readonly type: "lines";
  readonly first: bigint;
  readonly count: number;
  readonly oldest: bigint;
  /** Whether this is the last piece of the answer. */
  readonly last: boolean;
  /** Whether the last line continues in the next one. */
  readonly wrapped: boolean;
  readonly data: Uint8Array;
}

export interface Exit {
  readonly type: "exit";
  /** 128+N after signal N; -1 if the program never ran. */
  readonly code: number;
  /** 0: no signal. */
  readonly signal: number;
  readonly reason: string;
}

/** A client that is attached to the session. */
export interface Person {
  /** As in that client's Access message. */
  readonly id: string;
  readonly user: string;
  readonly role: "owner" | "writer" | "viewer" | "guest";
  readonly writable: boolean;
  readonly guest: boolean;
  /** ISO 8601. */
  readonly since: string;
}

/** The attached clients. `more` counts those that `people` leaves out. */
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

/** A message of the server. A client ignores `unknown`: a newer server may have more types. */
export type ServerMessage =
  | { readonly type: "output"; readonly offset: bigint; readonly data: Uint8Array }
  | Redraw
  | Damage
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

/** This client's viewport. */
export interface ResizeRequest {
  readonly type: "resize";
  readonly rows: number;
  readonly cols: number;
  /** The user wants the session to have this size, whichever client owns it. */
  readonly takeSize: boolean;
  /** The user cannot see this client: another one that types gets the size. */
  readonly hidden: boolean;
}

/** This client's theme and the size of its cells, with which programs are answered while it owns the size. */
export interface Appearance {
  readonly dark: boolean;
  /** Pixels, as the width; 0: unknown. */
  readonly cellHeight: number;
  readonly cellWidth: number;
  /** THEME_COLOURS of them, each 0xRRGGBB. */
  readonly colours: readonly number[];
}

export type ClientMessage =
  | { readonly type: "input"; readonly offset: bigint; readonly data: Uint8Array }
  | ResizeRequest
  | { readonly type: "ack"; readonly offset: bigint }
  | { readonly type: "ping"; readonly data: Uint8Array }
  | { readonly type: "lines"; readonly before: bigint; readonly count: number }
  | { readonly type: "redraw" }
  | (Appearance & { readonly type: "appearance" });

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
  [DAMAGE]: 25,
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
        alternate: (view.getUint8(29) & ALTERNATE_SCREEN) !== 0,
        data: new Uint8Array(buffer, 30),
      };
    case DAMAGE:
      return {
        type: "damage",
        offset: view.getBigUint64(1),
        top: view.getBigUint64(9),
        oldest: view.getBigUint64(17),
        data: new Uint8Array(buffer, 25),
      };
    case LINES:
      return {
        type: "lines",
        first: view.getBigUint64(1),
        count: view.getUint32(9),
        oldest: view.getBigUint64(13),
        last: (view.getUint8(21) & LAST_PIECE) !== 0,
        wrapped: (view.getUint8(21) & WRAPPED) !== 0,
        data: new Uint8Array(buffer, 22),
      };
    case HELLO:
      return {
        type: "hello",
        version: view.getUint8(1),
        writable: (view.getUint8(2) & MAY_TYPE) !== 0,
        owner: (view.getUint8(2) & OWNS_SIZE) !== 0,
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
        owner: (view.getUint8(5) & RESIZE_OWNS_SIZE) !== 0,
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
      return { type: "access", writable: (view.getUint8(1) & MAY_TYPE) !== 0, id: text(buffer, 2) };
    default:
      return { type: "unknown", kind };
  }
}

/** Parse the text of a presence message; undefined if it does not have the form in docs/protocol.md. */
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
      const bytes = withOffset(INPUT, message.offset, message.data.length);
      bytes.set(message.data, 9);
      return bytes;
    }
    case "resize": {
      const bytes = new Uint8Array(6);
      const view = new DataView(bytes.buffer);
      view.setUint8(0, RESIZE_REQUEST);
      view.setUint16(1, fitting(message.rows, 0xffff, "rows"));
      view.setUint16(3, fitting(message.cols, 0xffff, "cols"));
      view.setUint8(5, (message.takeSize ? TAKE_SIZE : 0) | (message.hidden ? HIDDEN : 0));
      return bytes;
    }
    case "ack":
      return withOffset(ACK, message.offset, 0);
    case "ping": {
      fitting(message.data.length, MAX_PING, "the length of a ping");
      const bytes = new Uint8Array(1 + message.data.length);
      bytes[0] = PING;
      bytes.set(message.data, 1);
      return bytes;
    }
    case "lines": {
      const bytes = withOffset(LINES_REQUEST, message.before, 4);
      new DataView(bytes.buffer).setUint32(9, fitting(message.count, MAX_LINES, "the number of lines"));
      return bytes;
    }
    case "redraw":
      return Uint8Array.of(REDRAW_REQUEST);
    case "appearance": {
      if (message.colours.length !== THEME_COLOURS) {
        throw new ProtocolError(`expected ${THEME_COLOURS} colours, got ${message.colours.length}`);
      }
      const bytes = new Uint8Array(6 + 3 * THEME_COLOURS);
      const view = new DataView(bytes.buffer);
      view.setUint8(0, APPEARANCE);
      view.setUint8(1, message.dark ? DARK : 0);
      view.setUint16(2, fitting(message.cellHeight, MAX_CELL, "the height of a cell"));
      view.setUint16(4, fitting(message.cellWidth, MAX_CELL, "the width of a cell"));
      message.colours.forEach((colour, i) => {
        fitting(colour, 0xffffff, "a colour");
        bytes.set([colour >> 16, (colour >> 8) & 0xff, colour & 0xff], 6 + 3 * i);
      });
      return bytes;
    }
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
