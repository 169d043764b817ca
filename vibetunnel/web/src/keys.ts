/** The bytes that a terminal sends for keys that a phone's keyboard lacks. */

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

/** The bytes for `key`. `application`: the program has set application cursor keys (DECCKM). */
export function keyText(key: BarKey, application: boolean, control = false): string {
  const final = CURSOR[key];
  if (final === undefined) return OTHER[key] ?? "";
  if (control) return `\x1b[1;5${final}`;
  return `\x1b${application ? "O" : "["}${final}`;
}

/** The character that Ctrl makes of `text`; `text` itself if there is none. */
export function controlText(text: string): string {
  if (text.length !== 1) return text;
  if (text === " " || text === "2") return "\0";
  if (text === "?") return "\x7f";
  const code = text.toUpperCase().charCodeAt(0);
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : text;
}
