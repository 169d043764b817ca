/**
 * What a pasted text types, and whether the user is asked first. Pure.
 *
 * The server pastes alike (vibetunnel/sessions/paste.py); tests/vectors/paste.json tests both.
 */

const BEGIN = "\x1b[200~"; // around a paste, for a program that asked for brackets (mode 2004)
const END = "\x1b[201~";
// C0, DEL and C1, without tab, line feed and carriage return. An ESC or CSI in the text could end the bracket.
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;
const INPUT_CONTROLS = /[\x00-\x1f\x7f-\x9f]/;
const PASTES = /^insertFrom(Paste|PasteAsQuotation|Drop|Yank)$/; // Input Events, §4.1.2
// Characters that make a browser show others in another order. A terminal shows all in the order of the text.
const REORDERING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const MOST_CHARACTERS = 20_000; // of a preview
const MOST_LINES = 500;

/** The input for a paste of `text`: without control characters, and with a carriage return at each line's end. */
export function pasted(text: string, bracketed: boolean): string {
  const lines = text.replace(CONTROLS, "").replace(/\r?\n/g, "\r");
  return bracketed ? BEGIN + lines + END : lines;
}

/**
 * The input for a paste into a program that takes each line end as Enter; undefined: first ask the user.
 *
 * Several lines are asked about. A single line loses its line end, which is copied along with whole lines: the user
 * sees the line and presses Enter.
 */
export function unaskedPaste(text: string): string | undefined {
  const line = pasted(text, false).replace(/\r$/, "");
  return line.includes("\r") ? undefined : line;
}

/** A paste as the user is shown it. `lines`: the first ones of `count`; `whole`: nothing is left out. */
export interface Preview {
  readonly lines: readonly string[];
  readonly count: number;
  readonly whole: boolean;
}

export function previewOf(text: string): Preview {
  const all = pasted(text, false).replace(/\r$/, "");
  const lines = all.slice(0, MOST_CHARACTERS).split("\r").slice(0, MOST_LINES);
  return {
    lines: lines.map((line) => line.replace(REORDERING, "\ufffd")),
    count: all.split("\r").length,
    whole: lines.join("\r").length === all.length,
  };
}

/** The text that an input event pastes; undefined: it types. A phone's keyboard inserts its clipboard as if typed. */
export function pastedBy(event: Pick<InputEvent, "inputType" | "data" | "dataTransfer">): string | undefined {
  const { inputType, data, dataTransfer } = event;
  if (PASTES.test(inputType)) return data ?? dataTransfer?.getData("text/plain") ?? "";
  if (!/^insert(Text|ReplacementText)$/.test(inputType)) return undefined;
  const text = data ?? dataTransfer?.getData("text/plain") ?? "";
  return holdsControls(text) ? text : undefined;
}

/**
 * Whether `data`, which xterm.js types, was inserted into its text field and is to be pasted. `field`: its content.
 *
 * xterm.js reads composed text there, and the events of a composition cannot be cancelled. What a key sends is never
 * there.
 */
export function insertedControls(data: string, field: string): boolean {
  return holdsControls(data) && field.includes(data);
}

/** A single control character is a key. */
function holdsControls(text: string): boolean {
  return text.length > 1 && INPUT_CONTROLS.test(text);
}
