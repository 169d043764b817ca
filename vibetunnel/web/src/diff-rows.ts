/** The rows of a diff's view, from its hunks: lines with numbers, and gaps where unchanged lines are folded. Pure. */

import type { DiffHunk, FileDiff } from "./git-api.js";
import { type Range, wordMarks } from "./word-marks.js";

export interface DiffLine {
  readonly kind: "line";
  readonly sign: " " | "+" | "-";
  /** Numbers in the last commit, and now. */
  readonly before?: number;
  readonly after?: number;
  readonly text: string;
  /** The parts that differ from the line which this one replaces, or which replaces it. */
  readonly marks: readonly Range[];
}

/** Unchanged lines that are not shown. from: the number of the first one, now. */
export interface DiffGap {
  readonly kind: "gap";
  readonly from: number;
  readonly count: number;
}

export interface DiffRemark {
  readonly kind: "remark";
  readonly text: string;
}

export type DiffRow = DiffLine | DiffGap | DiffRemark;

/** Two lines side by side: in the last commit, and now. */
export interface DiffPair {
  readonly kind: "pair";
  readonly left: DiffLine | undefined;
  readonly right: DiffLine | undefined;
}

/** All texts of the file now, by number, from a diff that leaves out none. */
export function textsOf(whole: FileDiff): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const hunk of whole.hunks) {
    let after = firstNow(hunk);
    for (const line of hunk.lines) if (line.startsWith(" ") || line.startsWith("+")) found.set(after++, line.slice(1));
  }
  return found;
}

/** The rows of a diff, without marks. opened: gaps, by their first line, that are shown with the texts of the whole file. */
export function rowsOf(
  diff: FileDiff,
  opened: ReadonlySet<number> = new Set(),
  texts: ReadonlyMap<number, string> = new Map(),
): readonly DiffRow[] {
  const rows: DiffRow[] = [];
  let before = 1;
  let after = 1;
  const skip = (count: number): void => {
    if (count <= 0) return;
    if (opened.has(after) && texts.has(after)) {
      for (let each = 0; each < count; each++) {
        const text = texts.get(after + each) ?? "";
        rows.push({ kind: "line", sign: " ", before: before + each, after: after + each, text, marks: [] });
      }
    } else {
      rows.push({ kind: "gap", from: after, count });
    }
    before += count;
    after += count;
  };
  for (const hunk of diff.hunks) {
    skip(firstNow(hunk) - after);
    for (const line of hunk.lines) {
      const [sign, text] = [line[0], line.slice(1)];
      if (sign === "+") rows.push({ kind: "line", sign, after: after++, text, marks: [] });
      else if (sign === "-") rows.push({ kind: "line", sign, before: before++, text, marks: [] });
      else if (sign === " ") rows.push({ kind: "line", sign, before: before++, after: after++, text, marks: [] });
      else rows.push({ kind: "remark", text: remarkIn(text) });
    }
  }
  if (!diff.isDeleted && diff.hunks.length > 0) skip(diff.lineCount - after + 1);
  return rows;
}

/** The number of a hunk's first line now. A hunk that only removes lines has the number of the line before. */
function firstNow({ lines, newStart }: DiffHunk): number {
  return lines.some((line) => line.startsWith(" ") || line.startsWith("+")) ? newStart : newStart + 1;
}

function remarkIn(text: string): string {
  return text.trim().replace(/^\\?\s*/, "");
}

/** The rows with the words that differ in lines which replace others. Costly for thousands of rows. */
export function withWordMarks(rows: readonly DiffRow[]): readonly DiffRow[] {
  const found = [...rows];
  for (let at = 0; at < found.length; ) {
    const removed = run(found, at, "-");
    const added = run(found, removed.next, "+");
    removed.at.forEach((place, index) => {
      const [old, fresh] = [found[place], found[added.at[index] ?? -1]];
      if (old?.kind !== "line" || fresh?.kind !== "line") return;
      const [left, right] = wordMarks(old.text, fresh.text);
      found[place] = { ...old, marks: left };
      found[added.at[index] ?? -1] = { ...fresh, marks: right };
    });
    at = Math.max(added.next, at + 1);
  }
  return found;
}

/** Where the lines with a sign are, from `at` on, and what comes after them. Remarks among them do not count. */
function run(rows: readonly DiffRow[], at: number, sign: "+" | "-"): { at: number[]; next: number } {
  const found: number[] = [];
  for (; at < rows.length; at++) {
    const row = rows[at];
    if (row?.kind === "line" && row.sign === sign) found.push(at);
    else if (row?.kind !== "remark" || found.length === 0) break;
  }
  return { at: found, next: at };
}

/** The same rows for a view of both versions, side by side. */
export function paired(rows: readonly DiffRow[]): readonly (DiffPair | DiffGap | DiffRemark)[] {
  const found: (DiffPair | DiffGap | DiffRemark)[] = [];
  let left: DiffLine[] = [];
  let right: DiffLine[] = [];
  const flush = (): void => {
    for (let at = 0; at < Math.max(left.length, right.length); at++) {
      found.push({ kind: "pair", left: left[at], right: right[at] });
    }
    [left, right] = [[], []];
  };
  for (const row of rows) {
    if (row.kind === "line" && row.sign === "-") {
      if (right.length > 0) flush();
      left.push(row);
    } else if (row.kind === "line" && row.sign === "+") {
      right.push(row);
    } else if (row.kind === "line") {
      flush();
      found.push({ kind: "pair", left: row, right: row });
    } else if (row.kind === "gap") {
      flush();
      found.push(row);
    } else if (left.length === 0 && right.length === 0) {
      found.push(row);
    } // between removed and added lines it would part them, and both versions show how they end
  }
  flush();
  return found;
}
