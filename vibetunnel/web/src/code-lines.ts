/** A text as lines to show, plain or with the classes of a highlighter. Pure. */

/** A stretch of one colour. kind: the highlighter's class, "" for none. */
export type Token = readonly [kind: string, text: string];

export const MOST_LINES = 20_000; // that are shown
export const LONGEST = 10_000; // characters of a line that are shown

/** What is shown of a text. `cut`: lines are left out, or the end of one. */
export interface Code {
  readonly lines: readonly string[];
  readonly cut: "" | "lines" | "characters";
}

export function codeOf(text: string): Code {
  const all = text.split(/\r\n|\n|\r/);
  if (all.length > 1 && all.at(-1) === "") all.pop(); // the text's last line end begins no line
  const lines = all.slice(0, MOST_LINES).map((line) => line.slice(0, LONGEST));
  const long = all.slice(0, MOST_LINES).some((line) => line.length > LONGEST);
  return { lines, cut: all.length > MOST_LINES ? "lines" : long ? "characters" : "" };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

/**
 * The lines of a highlighter's HTML, which has only spans with a class, text and five entities. What else there is
 * becomes text: the page shows tokens as text, and never parses HTML.
 */
export function linesOf(highlighted: string): readonly (readonly Token[])[] {
  const lines: Token[][] = [[]];
  const open: string[] = [];
  for (const [part] of highlighted.matchAll(/<span class="[\w -]*">|<\/span>|<|[^<]+/g)) {
    if (part.startsWith("<span ")) open.push(part.slice('<span class="'.length, -'">'.length));
    else if (part === "</span>") open.pop();
    else {
      const text = part.replace(/&(amp|lt|gt|quot|#x27);/g, (_, name: string) => ENTITIES[name] ?? "");
      text.split("\n").forEach((piece, index) => {
        if (index > 0) lines.push([]);
        if (piece !== "") lines.at(-1)?.push([open.findLast((kind) => kind !== "") ?? "", piece]);
      });
    }
  }
  return lines;
}
