import { describe, expect, it } from "vitest";

import { PIECE, type Chosen, foldersOf, nextPiece, passes, percent } from "../src/pieces.js";

describe("pieces", () => {
  it("follow each other to the end", () => {
    const size = 2 * PIECE + 5;
    expect(nextPiece(0, size, false)).toEqual([0, PIECE]);
    expect(nextPiece(PIECE, size, true)).toEqual([PIECE, 2 * PIECE]);
    expect(nextPiece(2 * PIECE, size, true)).toEqual([2 * PIECE, size]);
    expect(nextPiece(size, size, true)).toBeUndefined();
  });

  it("go on in the middle of one", () => {
    expect(nextPiece(3, 10, false)).toEqual([3, 10]);
  });

  it("of an empty file are one empty piece", () => {
    expect(nextPiece(0, 0, false)).toEqual([0, 0]);
    expect(nextPiece(0, 0, true)).toBeUndefined();
  });
});

describe("progress", () => {
  it("is complete only when all is stored", () => {
    expect(percent(50, 100, false)).toBe(50);
    expect(percent(100, 100, false)).toBe(99);
    expect(percent(100, 100, true)).toBe(100);
    expect(percent(0, 0, false)).toBe(0);
  });
});

describe("failures", () => {
  it("that pass by themselves are tried again, and refusals are not", () => {
    expect([0, 409, 429, 502, 503, 504].every(passes)).toBe(true);
    expect([400, 401, 403, 404, 413, 507].some(passes)).toBe(false);
  });
});

describe("folders", () => {
  it("come after the ones above them, each once", () => {
    const chosen = ["a/b/c", "a", "", "x", "a/b"].map((folder): Chosen => ({ file: new File([], "f"), folder }));
    expect(foldersOf(chosen)).toEqual(["a", "x", "a/b", "a/b/c"]);
  });
});
