/**
 * The bytes of a key: as xterm sends them (also with modifyOtherKeys), or as the kitty keyboard protocol says. Pure.
 *
 * tests/vectors/keys.json has what xterm and kitty send.
 */

import { ALT_GRAPH, APPLICATION, FUNCTIONAL, HIGH_FUNCTION_KEYS, KEYPAD, MODIFIERS, US } from "./key-tables.js";

/** A press, a repetition or a release of a key. `key` and `code` as in KeyboardEvent. */
export interface Key {
  readonly type: "press" | "repeat" | "release";
  readonly key: string;
  readonly code: string;
  readonly shift: boolean;
  readonly alt: boolean;
  readonly ctrl: boolean;
  readonly meta: boolean;
  readonly altGraph: boolean;
  readonly capsLock: boolean;
  readonly numLock: boolean;
}

/** What programs have asked for, and what the machine is. */
export interface KeyModes {
  /** DECCKM. */
  readonly applicationCursor: boolean;
  /** DECKPAM. */
  readonly applicationKeypad: boolean;
  /** modifyOtherKeys: 0, 1 or 2. */
  readonly otherKeys: number;
  /** Flags of the kitty keyboard protocol. */
  readonly kitty: number;
  /** Option makes characters here, and there is no NumLock. */
  readonly mac: boolean;
}

/** The character that a key makes without Shift and AltGr, if it is known. */
export type Layout = (code: string) => string | undefined;

// Flags of the kitty keyboard protocol
const DISAMBIGUATE = 1;
const EVENT_TYPES = 2;
const ALTERNATES = 4;
const ALL_KEYS = 8;
const TEXT = 16;

const ESC = "\x1b";
const CSI = "\x1b[";
const LATIN_END = 0x250; // code points from here on are not of the Latin script
const EVENTS = { press: 1, repeat: 2, release: 3 } as const;

/** The bytes to send; undefined: the browser may act, and its text is typed as it comes. */
export function keyBytes(pressed: Key, modes: KeyModes, layout: Layout): string | undefined {
  if (pressed.meta && !(pressed.code in MODIFIERS)) return undefined; // Cmd, or the desktop's key
  const key = withoutTextModifiers(pressed, modes.mac);
  if (modes.kitty !== 0) return kittyBytes(key, modes, layout);
  return key.type === "release" ? undefined : xtermBytes(key, modes);
}

/** Modifiers that were used to choose a character are no modifiers of the key: AltGr is not Ctrl and Alt. */
function withoutTextModifiers(key: Key, mac: boolean): Key {
  if (!isText(key.key)) return key;
  if (key.altGraph && key.alt) return { ...key, alt: false, ctrl: false }; // Windows reports AltGr as Ctrl and Alt
  if (mac && key.alt && !key.ctrl) return { ...key, alt: false, altGraph: true }; // Option
  return key;
}

function isText(key: string): boolean {
  return key.length === 1 || (key.length === 2 && (key.codePointAt(0) ?? 0) > 0xffff);
}

function onKeypad({ code }: Key): boolean {
  return code.startsWith("Numpad");
}

/** xterm's number of the modifiers: 0 for none. */
function modifiers({ shift, alt, ctrl }: Key): number {
  const bits = (shift ? 1 : 0) | (alt ? 2 : 0) | (ctrl ? 4 : 0);
  return bits === 0 ? 0 : bits + 1;
}

// ---------------------------------------------------------------- xterm

function xtermBytes(key: Key, modes: KeyModes): string | undefined {
  if (onKeypad(key) && (isText(key.key) || key.key === "Enter")) return keypadBytes(key, modes);
  if (isText(key.key)) return (modes.otherKeys > 0 ? otherKey(key, modes.otherKeys) : undefined) ?? textBytes(key);
  switch (key.key) {
    case "Enter":
    case "Tab":
    case "Backspace":
    case "Escape":
      return (modes.otherKeys > 0 ? otherKey(key, modes.otherKeys) : undefined) ?? controlKey(key);
    case "ContextMenu":
    case "ScrollLock":
    case "PrintScreen":
    case "Pause":
      return undefined; // the browser's, and the desktop's
    case "F3":
      return finished(1, "R", key, true);
  }
  const high = /^F(1[3-9]|2\d|3[0-5])$/.exec(key.key);
  if (high) return finished(HIGH_FUNCTION_KEYS[Number(high[1]) - 13] ?? 0, "~", key, false);
  const functional = FUNCTIONAL[key.key];
  if (!functional) return undefined;
  const [number, final] = functional;
  return finished(number, final, key, /^F\d/.test(key.key) || modes.applicationCursor);
}

/** `CSI number ; modifiers final`; without modifiers in `application` mode `ESC O final`. */
function finished(number: number, final: string, key: Key, application: boolean): string {
  const bits = modifiers(key);
  if (bits !== 0) return `${CSI}${number};${bits}${final}`;
  if (number !== 1) return `${CSI}${number}${final}`;
  return `${application ? `${ESC}O` : CSI}${final}`;
}

/** With NumLock, and outside application mode, the keypad types. xterm puts no ESC before what it types with Alt. */
function keypadBytes(key: Key, modes: KeyModes): string | undefined {
  const final = APPLICATION[key.key];
  if (modes.applicationKeypad && !modes.mac && !key.numLock && final !== undefined) {
    return `${ESC}O${modifiers(key) || ""}${final}`;
  }
  if (key.key !== "Enter") return key.alt || key.ctrl ? key.key : undefined;
  return "\r";
}

function controlKey(key: Key): string {
  const prefix = key.alt ? ESC : "";
  switch (key.key) {
    case "Tab":
      return key.shift ? `${CSI}Z` : `${prefix}\t`;
    case "Backspace":
      return `${prefix}${key.ctrl ? "\b" : "\x7f"}`;
    case "Escape":
      return `${prefix}${ESC}`;
    default:
      return `${prefix}\r`;
  }
}

function textBytes(key: Key): string | undefined {
  if (!key.ctrl && !key.alt) return undefined;
  const text = key.ctrl ? withControl(latin(key)) : key.key;
  return `${key.alt ? ESC : ""}${text}`;
}

/** The character of a key; on a keyboard without Latin letters that of the key at this place in the United States. */
function latin({ key, code }: Key): string {
  return (key.codePointAt(0) ?? 0) < LATIN_END ? key : (US[code] ?? key);
}

/** What Ctrl makes of a character: a control character, or the character itself. */
export function withControl(text: string): string {
  const code = text.charCodeAt(0);
  if (text.length !== 1) return text;
  if (text === " " || (code >= 0x40 && code < 0x7f)) return String.fromCharCode(code & 0x1f);
  if (text === "2") return "\0";
  if (code >= 0x33 && code <= 0x37) return String.fromCharCode(code - 0x18); // 3 to 7: ESC to US
  if (text === "8") return "\x7f";
  return text === "/" ? "\x1f" : text === "?" ? "\x7f" : text;
}

/** `CSI 27 ; modifiers ; character ~` where modifyOtherKeys asks for it. */
function otherKey(key: Key, level: number): string | undefined {
  const bits = modifiers(key);
  const named: Readonly<Record<string, number>> = { Enter: 13, Tab: 9, Backspace: key.ctrl ? 8 : 127, Escape: 27 };
  const code = named[key.key] ?? latin(key).codePointAt(0) ?? 0;
  if (bits === 0 || !(level === 1 ? isOther(key, code) : isAnyOther(key, code))) return undefined;
  return `${CSI}27;${bits};${code}~`;
}

/** Level 1: text, control characters and the usual sequences stay as they are. */
function isOther({ key, shift, alt, ctrl }: Key, code: number): boolean {
  switch (key) {
    case "Enter":
      return shift || (ctrl && !alt);
    case "Tab":
      return ctrl && !alt && !shift;
    case "Escape":
      return alt && (shift || ctrl);
    case "Backspace":
      return false;
  }
  if (!ctrl || (code >= 0x40 && code < 0x7f)) return false;
  const made = withControl(key);
  return alt || key === "?" || (made >= " " && made !== "\x7f");
}

/** Level 2: everything but text. */
function isAnyOther({ key, shift, alt, ctrl }: Key, code: number): boolean {
  if (key === "Backspace") return alt || shift;
  if (key === "Tab") return alt || ctrl;
  if (key.length > 1) return true;
  return ctrl || alt || (shift && code === 0x20);
}

// ---------------------------------------------------------------- the kitty keyboard protocol

function kittyBytes(key: Key, modes: KeyModes, layout: Layout): string | undefined {
  const { kitty } = modes;
  const events = (kitty & EVENT_TYPES) !== 0;
  const all = (kitty & ALL_KEYS) !== 0;
  if (key.type === "release" && !events) return undefined;
  const modifier = modifierNumber(key);
  if (modifier !== undefined) return all ? sequence(key, kitty, [modifier, "u"]) : undefined;
  const text = isText(key.key) && !key.ctrl && !key.alt;
  if (!all) {
    if (text && key.type !== "release") return undefined;
    const types = key.key === "Enter" || key.key === "Tab" || key.key === "Backspace";
    if (types && !onKeypad(key) && modifiers(key) === 0) return key.type === "release" ? undefined : controlKey(key);
    const reported = events && key.type !== "press";
    if ((kitty & DISAMBIGUATE) === 0 && !reported) return xtermBytes(key, modes);
  }
  const own = onKeypad(key) && ((kitty & DISAMBIGUATE) !== 0 || /^\d$/.test(key.key)); // else as on other keys
  const keypad = own ? KEYPAD[key.key] : undefined;
  if (keypad !== undefined) return sequence(key, kitty, [keypad, "u"]);
  const functional = FUNCTIONAL[key.key];
  if (functional) return sequence(key, kitty, functional);
  if (!isText(key.key)) return undefined;
  return sequence(key, kitty, [unshifted(key, layout).codePointAt(0) ?? 0, "u"], alternates(key, layout));
}

function modifierNumber({ key, code }: Key): number | undefined {
  return key === "AltGraph" ? ALT_GRAPH : MODIFIERS[code];
}

/** The character that names the key: without Shift, in the layout in use. */
function unshifted({ key, code, shift, altGraph }: Key, layout: Layout): string {
  const known = shift || altGraph ? (layout(code) ?? (key.toLowerCase() === key ? US[code] : undefined)) : undefined;
  return known ?? key.toLowerCase();
}

/** `:shifted:base`: the character with Shift, and that of the key at this place in the United States. */
function alternates(key: Key, layout: Layout): string {
  const plain = unshifted(key, layout);
  const made = key.key === plain ? plain.toUpperCase() : key.key; // CapsLock undoes Shift
  const shifted = key.shift && !key.altGraph && made !== plain ? made.codePointAt(0) : undefined;
  const base = US[key.code];
  const other = base !== undefined && base !== plain ? base.codePointAt(0) : undefined;
  if (other !== undefined) return `:${shifted ?? ""}:${other}`;
  return shifted === undefined ? "" : `:${shifted}`;
}

function sequence(key: Key, kitty: number, [number, final]: readonly [number, string], others = ""): string {
  const all = (kitty & ALL_KEYS) !== 0;
  // Programs look for Ctrl+A and Shift+Enter as they are without NumLock, which most keyboards have on.
  const types = isText(key.key) || key.key === "Enter" || key.key === "Tab" || key.key === "Backspace";
  const locks = all || !types ? (key.capsLock ? 64 : 0) | (key.numLock ? 128 : 0) : 0;
  const bits = (key.shift ? 1 : 0) | (key.alt ? 2 : 0) | (key.ctrl ? 4 : 0) | (key.meta ? 8 : 0) | locks;
  const event = (kitty & EVENT_TYPES) !== 0 && key.type !== "press" ? `:${EVENTS[key.type]}` : "";
  const second = bits !== 0 || event !== "" ? `${bits + 1}${event}` : "";
  const typed = all && (kitty & TEXT) !== 0 && isText(key.key) && !key.ctrl && !key.alt && key.type !== "release";
  const third = typed ? String(key.key.codePointAt(0)) : "";
  const first = number === 1 && second === "" ? "" : `${number}${(kitty & ALTERNATES) !== 0 ? others : ""}`;
  const rest = third !== "" ? `;${second};${third}` : second !== "" ? `;${second}` : "";
  return `${CSI}${first}${rest}${final}`;
}
