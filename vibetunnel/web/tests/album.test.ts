import { describe, expect, test } from "vitest";

import { Album, type Placement, cut, hasTile, withoutTiles } from "../src/album.js";

const PICTURE = "i;3;0123456789abcdef;4;0;0;40;20;99;7;0";
const TILES = "p;5;3;0;0;0;1;2;1;4;0;1;0;0;40;20;0;0;4000;1000;0";
const DIRECT = "p;6;3;0;2;0;-3;2;1;4;0;1;0;0;40;20;500;0;4000;1000;-1";
const VIRTUAL = "p;7;3;0;1;0;0;0;1;4;0;1;0;0;40;20;0;0;4000;1000;0";

function listed(...records: string[]): Album {
  const album = new Album();
  for (const record of ["b", ...records]) expect(album.take(record)).toBe(false);
  expect(album.take("e;3;7")).toBe(true);
  return album;
}

describe("a list of pictures", () => {
  test("counts when it is complete", () => {
    const album = listed(PICTURE, TILES);
    expect(album.empty).toBe(false);
    album.take("b");
    album.take("p;nothing");
    expect(album.empty).toBe(false);
    album.take("e;0;0");
    expect(album.empty).toBe(true);
  });

  test("says what is over the text", () => {
    const [found] = listed(PICTURE, TILES, DIRECT).direct(false);
    expect(found).toMatchObject({ number: 6, row: -3, col: 2, to: { x: 0.5, width: 4 }, z: -1 });
    expect(listed(PICTURE, DIRECT).direct(true)).toEqual([]);
  });

  test("that is malformed or endless is cut", () => {
    const album = new Album();
    for (const record of ["x", "p;1", "i;1;2;3", "e"]) expect(album.take(record)).toBe(false);
    album.take("b");
    for (let number = 1; number < 9000; number++) album.take(DIRECT.replace("p;6;", `p;${number};`));
    album.take("e");
    expect(album.direct(false).length).toBeLessThan(3000);
  });
});

describe("a cell", () => {
  test("of our tiles names its placement by colour, and its place by marks", () => {
    const tile = listed(PICTURE, TILES).tile("\u{10eeed}\u0305\u030d", 5, undefined);
    expect(tile).toMatchObject({ row: 0, col: 1, placement: { number: 5 } });
  });

  test("of kitty's placeholders goes on from the one before", () => {
    const album = listed(PICTURE, VIRTUAL);
    const first = album.tile("\u{10eeee}\u030d", 7, undefined);
    expect(first).toMatchObject({ row: 1, col: 0, placement: { number: 7 } });
    expect(album.tile("\u{10eeee}", 7, first)).toMatchObject({ row: 1, col: 1 });
    expect(album.tile("\u{10eeee}", 8, first)).toMatchObject({ row: 0, col: 0, placement: undefined });
  });

  test("of text has none", () => {
    expect(listed(PICTURE, TILES).tile("x", 5, undefined)).toBeUndefined();
    expect(hasTile("a\u{10eeed}\u0305")).toBe(true);
    expect(withoutTiles("a\u{10eeed}\u0305\u030d\u{10eeee}b")).toBe("a  b");
  });
});

test("a box of cells shows its part of the picture", () => {
  const [placement] = listed(PICTURE, DIRECT).direct(false) as [Placement];
  expect(cut(placement, { x: 1, y: 0, width: 1, height: 1 })).toEqual({
    from: { x: 5, y: 0, width: 10, height: 20 },
    to: { x: 1, y: 0, width: 1, height: 1 },
  });
  expect(cut(placement, { x: 5, y: 0, width: 1, height: 1 })).toBeUndefined();
});
