/**
 * The pictures of a session: which there are and where they show, as redraws list them (OSC 7717), and which tile of
 * which one a cell has. Pure: text in, numbers out.
 */

import { MARKS } from "./marks.js";

export const LIST = 7717; // OSC: records of pictures and placements
export const UNIT = 1000; // of a cell's width and height

const OUR_TILE = 0x10eeed;
const KITTY_TILE = 0x10eeee;
const RECORDS_LIMIT = 2000; // more than the server keeps; a program can print such records, too
const TILE = /\u{10eeed}|\u{10eeee}/u;
const NUMBERS = new Map(MARKS.map((code, number) => [code, number]));

export interface Picture {
  readonly number: number;
  readonly key: string;
  readonly kept: boolean; // false: it was too large
  readonly width: number; // pixels
  readonly height: number;
  readonly id: number; // of kitty; 0: none
}

export interface Placement {
  readonly number: number;
  readonly picture: number;
  readonly how: number; // 0: in our tiles, 1: in kitty's placeholders, 2: over the text
  readonly alternate: boolean;
  readonly row: number; // from the top of the screen when the list came
  readonly col: number;
  readonly rows: number;
  readonly cols: number;
  readonly first: number; // rows [first, last) are left
  readonly last: number;
  /** The part of the picture, in pixels. */
  readonly from: Box;
  /** Where it is drawn, in cells from the upper left one. */
  readonly to: Box;
  readonly z: number;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Tile {
  readonly placement: Placement | undefined;
  readonly owner: number; // what the cell's colour says
  readonly row: number;
  readonly col: number;
}

export class Album {
  private pictures = new Map<number, Picture>();
  private placements: Placement[] = [];
  private next: { pictures: Map<number, Picture>; placements: Placement[] } | undefined;

  get empty(): boolean {
    return this.placements.length === 0;
  }

  /** Those over the text of one of the screens, in the order in which they are drawn. */
  direct(alternate: boolean): Placement[] {
    return this.placements
      .filter((each) => each.how === 2 && each.alternate === alternate)
      .sort((a, b) => a.z - b.z || a.number - b.number);
  }

  picture(placement: Placement): Picture | undefined {
    return this.pictures.get(placement.picture);
  }

  /** Nothing is placed any longer (RIS). */
  clear(): void {
    this.placements = [];
  }

  /** The alternate screen has come or gone. */
  left(): void {
    this.placements = this.placements.filter((each) => !each.alternate);
  }

  /** Take a record. Returns whether it completes a list, which replaces the one before. */
  take(record: string): boolean {
    const [kind, ...fields] = record.split(";");
    if (kind === "b") this.next = { pictures: new Map(), placements: [] };
    const { next } = this;
    if (!next || next.pictures.size + next.placements.length > RECORDS_LIMIT) return false;
    if (kind === "i") {
      const picture = pictureOf(fields);
      if (picture) next.pictures.set(picture.number, picture);
    } else if (kind === "p") {
      const placement = placementOf(fields);
      if (placement) next.placements.push(placement);
    } else if (kind === "e") {
      this.pictures = next.pictures;
      this.placements = next.placements;
      this.next = undefined;
      return true;
    }
    return false;
  }

  /** The tile that a cell has. `colour`: its foreground; `before`: the tile of the cell before it. */
  tile(chars: string, colour: number, before: Tile | undefined): Tile | undefined {
    const [base, ...marks] = Array.from(chars, (char) => char.codePointAt(0) ?? 0);
    if (base !== OUR_TILE && base !== KITTY_TILE) return undefined;
    const [row, col, high] = marks.map((code) => NUMBERS.get(code));
    const owner = colour + (high ?? 0) * 0x1000000;
    const continues = before?.owner === owner ? before : undefined;
    const ownRow = row ?? continues?.row ?? 0;
    const ownCol = col ?? (continues?.row === ownRow ? continues.col + 1 : 0);
    return { placement: this.placed(base, owner), owner, row: ownRow, col: ownCol };
  }

  private placed(base: number, owner: number): Placement | undefined {
    return this.placements.find((each) =>
      base === OUR_TILE
        ? each.how === 0 && each.number === owner
        : each.how === 1 && owner !== 0 && this.picture(each)?.id === owner,
    );
  }
}

/** Whether a line has a tile. */
export function hasTile(text: string): boolean {
  return TILE.test(text);
}

/** Text that a user copies: a tile is a blank. */
export function withoutTiles(text: string): string {
  return text.replace(/[\u{10eeed}\u{10eeee}]\p{M}*/gu, " ");
}

/** The part of the picture that a box of cells shows, and where; undefined: none. All in cells but the part. */
export function cut(placement: Placement, cells: Box): { from: Box; to: Box } | undefined {
  const { from, to } = placement;
  const x = Math.max(cells.x, to.x);
  const y = Math.max(cells.y, to.y);
  const width = Math.min(cells.x + cells.width, to.x + to.width) - x;
  const height = Math.min(cells.y + cells.height, to.y + to.height) - y;
  if (!(width > 0 && height > 0)) return undefined;
  const across = from.width / to.width;
  const down = from.height / to.height;
  const [left, top] = [from.x + (x - to.x) * across, from.y + (y - to.y) * down];
  return {
    from: { x: left, y: top, width: width * across, height: height * down },
    to: { x, y, width, height },
  };
}

/** NUMBER;KEY;KIND;ZLIB;TRANSPARENT;WIDTH;HEIGHT;BYTES;ID;NAMED */
function pictureOf(fields: readonly string[]): Picture | undefined {
  const [number, , kind, , , width, height, , id] = fields.map(Number);
  const key = fields[1] ?? "";
  if (!number || !width || !height || id === undefined || !/^[0-9a-f]{16}$/.test(key)) return undefined;
  return { number, key, kept: kind !== 0, width, height, id };
}

/** NUMBER;PICTURE;ID;HOW;ALTERNATE;ROW;COL;ROWS;COLS;FIRST;LAST;X;Y;WIDTH;HEIGHT;LEFT;TOP;WIDE;HIGH;Z */
function placementOf(fields: readonly string[]): Placement | undefined {
  const numbers = fields.map(Number);
  if (numbers.length < 20 || numbers.some((each) => !Number.isFinite(each))) return undefined;
  const at = (index: number): number => numbers[index] ?? 0;
  return {
    number: at(0),
    picture: at(1),
    how: at(3),
    alternate: at(4) === 1,
    row: at(5),
    col: at(6),
    rows: at(7),
    cols: at(8),
    first: at(9),
    last: at(10),
    from: { x: at(11), y: at(12), width: at(13), height: at(14) },
    to: { x: at(15) / UNIT, y: at(16) / UNIT, width: at(17) / UNIT, height: at(18) / UNIT },
    z: at(19),
  };
}
