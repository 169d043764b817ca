/** Finds the places in files that programs print: `src/a.py:12:5`, `a.ts(3,7)`, `File "a.py", line 12`. Pure. */

export interface FileLink {
  /** As it is printed. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** Where it is in the text: [begin, end). */
  readonly begin: number;
  readonly end: number;
}

const LONGEST = 4096; // characters of a printed line that are looked at
const MOST = 8; // of one line

// A path has a letter, and a dot or a slash, so that "12:30" and "error:3" are none. It begins after a character that it
// cannot have, so that a hostile line costs no more than a few looks at each of its characters.
const PATTERNS = [
  /(?<![^\s"'`<>()[\]{}|:,;=])(?<path>[^\s"'`<>()[\]{}|:,;=]{1,1024}):(?<line>[1-9]\d{0,8})(?::\d{1,9})?(?![\w/])/gu,
  /(?<![^\s"'`<>()[\]{}|:,;=])(?<path>[^\s"'`<>()[\]{}|:,;=]{1,1024})\((?<line>[1-9]\d{0,8})(?:,\d{1,9})?\)/gu,
  /(?<=File )"(?<path>[^"]{1,1024})", line (?<line>[1-9]\d{0,8})/gu,
];

/** The places in a line of text, from the left. Web addresses are none. */
export function fileLinks(text: string): readonly FileLink[] {
  const found: FileLink[] = [];
  for (const pattern of PATTERNS) {
    for (const match of text.slice(0, LONGEST).matchAll(pattern)) {
      const { path = "", line = "" } = match.groups ?? {};
      if (!isPath(path)) continue;
      found.push({ path, line: Number(line), begin: match.index, end: match.index + match[0].length });
      if (found.length === MOST) break;
    }
  }
  return found.sort((a, b) => a.begin - b.begin).slice(0, MOST);
}

function isPath(text: string): boolean {
  return /[./]/.test(text) && /\p{L}/u.test(text) && !text.startsWith("//"); // the address's part after https:
}
