/** Keys that a phone's keyboard lacks, as the bytes that a terminal sends for them. */

export type BarKey = "escape" | "tab" | "up" | "down" | "left" | "right" | "home" | "end" | "pageup" | "pagedown";

const CURSOR: Readonly<Partial<Record<BarKey, string>>> = {
  up: "A",
  down: "B",
  right: "C",
  left: "D",
  home: "H",
  end: "F",
};

const OTHER: Readonly<Partial<Record<BarKey, string>>> = {
  escape: "\x1b",
  tab: "\t",
  pageup: "\x1b[5~",
  pagedown: "\x1b[6~",
};

/** What `key` sends. `application`: the program has asked for application cursor keys (DECCKM). */
export function keyText(key: BarKey, application: boolean, control = false): string {
  const final = CURSOR[key];
  if (final === undefined) return OTHER[key] ?? "";
  if (control) return `\x1b[1;5${final}`;
  return `\x1b${application ? "O" : "["}${final}`;
}

/** What Ctrl with `text` sends, if there is such a character; `text` otherwise. */
export function controlText(text: string): string {
  if (text.length !== 1) return text;
  if (text === " " || text === "2") return "\0";
  if (text === "?") return "\x7f";
  const code = text.toUpperCase().charCodeAt(0);
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : text;
}
