/** The keys that print nothing, and what they are called in escape sequences. */

/** The number and the final character of a key's sequence: `CSI number ; modifiers final`. */
export type Sequence = readonly [number: number, final: string];

/** KeyboardEvent.key -> its sequence. Those that end in "u" have it in the kitty keyboard protocol alone. */
export const FUNCTIONAL: Readonly<Record<string, Sequence>> = {
  Escape: [27, "u"],
  Enter: [13, "u"],
  Tab: [9, "u"],
  Backspace: [127, "u"],
  Insert: [2, "~"],
  Delete: [3, "~"],
  ArrowLeft: [1, "D"],
  ArrowRight: [1, "C"],
  ArrowUp: [1, "A"],
  ArrowDown: [1, "B"],
  PageUp: [5, "~"],
  PageDown: [6, "~"],
  Home: [1, "H"],
  End: [1, "F"],
  Clear: [1, "E"], // the 5 of the keypad without NumLock
  ContextMenu: [57363, "u"],
  F1: [1, "P"],
  F2: [1, "Q"],
  F3: [13, "~"], // CSI R would be the answer to a query
  F4: [1, "S"],
  ...numbered("F", 5, [15, 17, 18, 19, 20, 21, 23, 24], "~"),
  ...numbered("F", 13, range(57376, 57398), "u"),
  ScrollLock: [57359, "u"],
  PrintScreen: [57361, "u"],
  Pause: [57362, "u"],
};

/** KeyboardEvent.code of the keys that only change others -> their number in the kitty keyboard protocol. */
export const MODIFIERS: Readonly<Record<string, number>> = {
  CapsLock: 57358,
  NumLock: 57360,
  ShiftLeft: 57441,
  ControlLeft: 57442,
  AltLeft: 57443,
  MetaLeft: 57444,
  ShiftRight: 57447,
  ControlRight: 57448,
  AltRight: 57449,
  MetaRight: 57450,
};
export const ALT_GRAPH = 57453; // ISO_Level3_Shift; its code is AltRight too

/** KeyboardEvent.key of a key of the keypad -> its number in the kitty keyboard protocol. */
export const KEYPAD: Readonly<Record<string, number>> = {
  ...Object.fromEntries(range(0, 9).map((digit) => [String(digit), 57399 + digit])),
  ".": 57409,
  "/": 57410,
  "*": 57411,
  "-": 57412,
  "+": 57413,
  Enter: 57414,
  "=": 57415,
  ",": 57416,
  ArrowLeft: 57417,
  ArrowRight: 57418,
  ArrowUp: 57419,
  ArrowDown: 57420,
  PageUp: 57421,
  PageDown: 57422,
  Home: 57423,
  End: 57424,
  Insert: 57425,
  Delete: 57426,
};

/** What the keypad sends in application mode (DECKPAM), after ESC O and the modifiers. */
export const APPLICATION: Readonly<Record<string, string>> = {
  ...Object.fromEntries(range(0, 9).map((digit) => [String(digit), String.fromCharCode(0x70 + digit)])),
  "*": "j",
  "+": "k",
  ",": "l",
  "-": "m",
  ".": "n",
  "/": "o",
  "=": "X",
  Enter: "M",
};

/** xterm's numbers of F13 to F35, which have other sequences in the kitty keyboard protocol. */
export const HIGH_FUNCTION_KEYS = [25, 26, 28, 29, 31, 32, 33, 34, ...range(42, 56)];

/** KeyboardEvent.code -> the character on a keyboard of the United States, without Shift. */
export const US: Readonly<Record<string, string>> = {
  ...Object.fromEntries([..."abcdefghijklmnopqrstuvwxyz"].map((letter) => [`Key${letter.toUpperCase()}`, letter])),
  ...Object.fromEntries(range(0, 9).map((digit) => [`Digit${digit}`, String(digit)])),
  Backquote: "`",
  Minus: "-",
  Equal: "=",
  BracketLeft: "[",
  BracketRight: "]",
  Backslash: "\\",
  Semicolon: ";",
  Quote: "'",
  IntlBackslash: "<",
  Comma: ",",
  Period: ".",
  Slash: "/",
  Space: " ",
};

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function numbered(name: string, first: number, numbers: readonly number[], final: string): Record<string, Sequence> {
  return Object.fromEntries(numbers.map((number, i) => [`${name}${first + i}`, [number, final] as const]));
}
