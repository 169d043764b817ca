/** Makes links of the places in files that programs print, if the files exist. */

import type { IBuffer, IBufferRange, ILink, ILinkProvider, Terminal } from "@xterm/xterm";

import type { FileEntry } from "./file-api.js";
import { type FileLink, fileLinks } from "./file-links.js";
import { resolve } from "./file-paths.js";

/** Finds and opens files. */
export interface FileOpener {
  /** The folder of the programs, which relative paths begin at; empty: not known yet. */
  folder(): string;
  /** What is at a path; undefined: nothing that the user may see. */
  kind(path: string): Promise<FileEntry["type"] | undefined>;
  open(path: string, line: number): void;
  /** Tell the user that a place that was tapped does not exist. */
  missing(path: string): void;
}

const REST_MS = 120; // the pointer rests on a row before the server is asked
const FRESH_MS = 20_000; // then it is asked again
const KNOWN = 200; // paths, of which the oldest are forgotten
const MOST_ROWS = 40; // of a wrapped line

export class FileLinkProvider implements ILinkProvider {
  private readonly known = new Map<string, { readonly file: Promise<boolean>; readonly at: number }>();
  private turn = 0; // changes with the row under the pointer

  /** touched: whether the pointer is a finger, which does not hover: such a link is looked for when it is tapped. */
  constructor(
    private readonly term: Pick<Terminal, "buffer" | "cols">,
    private readonly opener: () => FileOpener | undefined,
    private readonly touched: () => boolean,
  ) {}

  provideLinks(row: number, tell: (links: ILink[] | undefined) => void): void {
    const opener = this.opener();
    const turn = ++this.turn;
    const line = opener && opener.folder() !== "" ? printedLine(this.term.buffer.active, this.term.cols, row - 1) : undefined;
    const found = line ? fileLinks(line.text) : [];
    if (!opener || !line || found.length === 0) {
      tell(undefined);
      return;
    }
    const link = (each: FileLink): ILink => this.link(each, line, opener);
    if (this.touched()) {
      tell(found.map(link));
      return;
    }
    // xterm.js would take an answer that is late for one about the row that the pointer is on now.
    setTimeout(() => {
      if (turn !== this.turn) return;
      void this.existing(found, opener).then((existing) => {
        if (turn === this.turn) tell(existing.map(link));
      });
    }, REST_MS);
  }

  private async existing(found: readonly FileLink[], opener: FileOpener): Promise<readonly FileLink[]> {
    const exist = await Promise.all(found.map((each) => this.exists(resolve(each.path, opener.folder()), opener)));
    return found.filter((_, index) => exist[index]);
  }

  private exists(path: string, opener: FileOpener): Promise<boolean> {
    const now = performance.now();
    const before = this.known.get(path);
    if (before && now - before.at < FRESH_MS) return before.file;
    const file = opener.kind(path).then(
      (kind) => kind === "file",
      () => false,
    );
    this.known.delete(path);
    this.known.set(path, { file, at: now });
    const [oldest] = this.known.keys();
    if (this.known.size > KNOWN && oldest !== undefined) this.known.delete(oldest);
    return file;
  }

  private link({ path, line, begin, end }: FileLink, printed: PrintedLine, opener: FileOpener): ILink {
    return {
      text: printed.text.slice(begin, end),
      range: rangeOf(printed, begin, end),
      activate: () => {
        const place = resolve(path, opener.folder());
        void this.exists(place, opener).then((exists) => (exists ? opener.open(place, line) : opener.missing(path)));
      },
    };
  }
}

/** A line as a program printed it, over all rows that it was wrapped into. */
export interface PrintedLine {
  readonly text: string;
  /** Of each UTF-16 unit of the text: its cell, from 0. */
  readonly cells: readonly { readonly x: number; readonly y: number }[];
}

/** The line that the row `y` of the buffer belongs to. */
export function printedLine(buffer: IBuffer, cols: number, y: number): PrintedLine {
  let first = y;
  while (first > 0 && y - first < MOST_ROWS && buffer.getLine(first)?.isWrapped) first -= 1;
  let text = "";
  const cells: { x: number; y: number }[] = [];
  for (let row = first; row < first + 2 * MOST_ROWS; row++) {
    const line = buffer.getLine(row);
    if (!line || (row > first && !line.isWrapped)) break;
    for (let x = 0; x < cols; x++) {
      const cell = line.getCell(x);
      if (!cell || cell.getWidth() === 0) continue; // the second half of a wide character
      const characters = cell.getChars() || " ";
      text += characters;
      for (let unit = 0; unit < characters.length; unit++) cells.push({ x, y: row });
    }
  }
  return { text, cells };
}

function rangeOf({ cells }: PrintedLine, begin: number, end: number): IBufferRange {
  const [first, last] = [cells[begin] ?? { x: 0, y: 0 }, cells[end - 1] ?? { x: 0, y: 0 }];
  return { start: { x: first.x + 1, y: first.y + 1 }, end: { x: last.x + 1, y: last.y + 1 } };
}
