import { describe, expect, it } from "vitest";

import { type DiffRow, paired, rowsOf, textsOf, withWordMarks } from "../src/diff-rows.js";
import type { FileDiff } from "../src/git-api.js";

const none: FileDiff = { hunks: [], lineCount: 0, isDeleted: false, isBinary: false, isTooBig: false };

/** A row in short: its numbers and its text. */
function short(row: DiffRow): string {
  if (row.kind === "gap") return `… ${row.from}+${row.count}`;
  if (row.kind === "remark") return `\\ ${row.text}`;
  return `${row.before ?? ""}|${row.after ?? ""}|${row.sign}${row.text}`;
}

const middle: FileDiff = {
  ...none,
  hunks: [
    { oldStart: 4, newStart: 4, lines: [" d", "-e", "+E", "+F", " f"] },
    { oldStart: 9, newStart: 10, lines: [" i", "-j"] },
  ],
  lineCount: 12,
};

describe("rows", () => {
  it("have numbers, and gaps where unchanged lines are left out", () => {
    expect(rowsOf(middle).map(short)).toEqual([
      "… 1+3",
      "4|4| d",
      "5||-e",
      "|5|+E",
      "|6|+F",
      "6|7| f",
      "… 8+2",
      "9|10| i",
      "10||-j",
      "… 11+2",
    ]);
  });

  it("of an opened gap are the file's lines", () => {
    const texts = new Map([8, 9].map((number) => [number, `line ${number}`]));
    expect(rowsOf(middle, new Set([8]), texts).map(short).slice(5, 9)).toEqual([
      "6|7| f",
      "7|8| line 8",
      "8|9| line 9",
      "9|10| i",
    ]);
  });

  it("of a new and of a deleted file have numbers of one side, and no gap", () => {
    const fresh = { ...none, hunks: [{ oldStart: 0, newStart: 1, lines: ["+a", "+b"] }], lineCount: 2 };
    expect(rowsOf(fresh).map(short)).toEqual(["|1|+a", "|2|+b"]);
    const gone = { ...none, hunks: [{ oldStart: 1, newStart: 0, lines: ["-a"] }], isDeleted: true };
    expect(rowsOf(gone).map(short)).toEqual(["1||-a"]);
  });

  it("of a hunk that only removes or only adds, without lines around it, are in their place", () => {
    const removed = { ...none, hunks: [{ oldStart: 3, newStart: 2, lines: ["-c"] }], lineCount: 3 };
    expect(rowsOf(removed).map(short)).toEqual(["… 1+2", "3||-c", "… 3+1"]);
    const added = { ...none, hunks: [{ oldStart: 2, newStart: 3, lines: ["+c"] }], lineCount: 3 };
    expect(rowsOf(added).map(short)).toEqual(["… 1+2", "|3|+c"]);
  });

  it("say that a line has no end", () => {
    const lines = ["-a", "\\\n\\ No newline at end of file", "+b"];
    const diff = { ...none, hunks: [{ oldStart: 1, newStart: 1, lines }], lineCount: 1 };
    expect(rowsOf(diff).map(short)).toEqual(["1||-a", "\\ No newline at end of file", "|1|+b"]);
  });

  it("mark the words that differ, also if more lines are added than removed", () => {
    const lines = ["-const one = 1;", "+const two = 1;", "+more"];
    const rows = rowsOf({ ...none, hunks: [{ oldStart: 1, newStart: 1, lines }], lineCount: 2 });
    expect(withWordMarks(rows).map((row) => (row.kind === "line" ? row.marks : []))).toEqual([[[6, 9]], [[6, 9]], []]);
  });

  it("are none if nothing differs", () => {
    expect(rowsOf({ ...none, lineCount: 5 })).toEqual([]);
  });
});

it("a diff of the whole file has all its texts by number", () => {
  const whole = { ...none, hunks: [{ oldStart: 1, newStart: 1, lines: [" a", "-b", "+c", " d"] }], lineCount: 3 };
  expect([...textsOf(whole)]).toEqual([[1, "a"], [2, "c"], [3, "d"]]);
});

it("side by side, a line stands beside the one that replaces it", () => {
  const pairs = paired(rowsOf(middle)).map((each) =>
    each.kind === "pair" ? [each.left?.text, each.right?.text] : each.kind,
  );
  expect(pairs).toEqual([
    "gap",
    ["d", "d"],
    ["e", "E"],
    [undefined, "F"],
    ["f", "f"],
    "gap",
    ["i", "i"],
    ["j", undefined],
    "gap",
  ]);
});
