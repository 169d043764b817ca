import { describe, expect, it } from "vitest";

import { wordMarks } from "../src/word-marks.js";

/** The marked parts of both lines. */
function marked(before: string, after: string): readonly [string[], string[]] {
  const [left, right] = wordMarks(before, after);
  return [left.map(([from, to]) => before.slice(from, to)), right.map(([from, to]) => after.slice(from, to))];
}

describe("marks", () => {
  it("are on the words that differ", () => {
    expect(marked("return a + b;", "return a - count;")).toEqual([["+ b"], ["- count"]]);
    expect(marked("foo(one, two)", "foo(one, two, three)")).toEqual([[], [", three"]]);
  });

  it("are on whole words, not on letters", () => {
    expect(marked("const colour = 1", "const color = 1")).toEqual([["colour"], ["color"]]);
    expect(marked("Grüße aus Köln", "Grüße von Köln")).toEqual([["aus"], ["von"]]);
  });

  it("are none for lines that have little in common, are equal, or are very long", () => {
    expect(marked("import os", "def main(argv):")).toEqual([[], []]);
    expect(marked("same", "same")).toEqual([[], []]);
    expect(marked(`${"x ".repeat(300)}a`, `${"x ".repeat(300)}b`)).toEqual([[], []]);
  });

  it("are on a changed indentation", () => {
    expect(marked("  return;", "    return;")).toEqual([["  "], ["    "]]);
  });
});
