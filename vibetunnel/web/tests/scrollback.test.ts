import { beforeEach, describe, expect, it } from "vitest";

import type { Lines, Redraw } from "../src/protocol.js";
import { LIVE_LIMIT, SCROLLBACK, Scrollback } from "../src/scrollback.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);

function redraw(top: number, change: Partial<Redraw> = {}): Redraw {
  const oldest = change.oldest ?? 0n;
  const [rows, cols] = [3, 80];
  return {
    type: "redraw",
    offset: 0n,
    top: BigInt(top),
    rows,
    cols,
    alternate: false,
    data: bytes("SCREEN"),
    ...change,
    oldest,
  };
}

function piece(first: number, count: number, change: Partial<Lines> = {}): Lines {
  const data = bytes(`<${first}+${count}>`);
  return { type: "lines", first: BigInt(first), count, oldest: 0n, last: true, wrapped: false, data, ...change };
}

let held: Scrollback;

beforeEach(() => {
  held = new Scrollback();
});

describe("what is asked for", () => {
  it("is nothing where all of the session came as output", () => {
    held.output(bytes("all"));
    expect(held.load(1000, 0)).toBeUndefined();
  });

  it("is the lines above those that are held, and nothing while they are under way", () => {
    held.redraw(redraw(5000));
    expect(held.load(1000, 0)).toEqual({ type: "lines", before: 5000n, count: 1000, depth: 0 });
    expect(held.load(1000, 0)).toBeUndefined();
    held.take(piece(4000, 1000));
    expect(held.held).toBe(1000);
    expect(held.load(2000, 1000)).toEqual({ type: "lines", before: 4000n, count: 2000, depth: 1000 });
  });

  it("is nothing beyond the oldest line, also where that has moved on", () => {
    held.redraw(redraw(50, { oldest: 50n }));
    expect(held.load(1000, 0)).toBeUndefined();
    held.redraw(redraw(5000, { oldest: 3000n }));
    expect(held.load(1000, 0)).toBeDefined();
    held.take(piece(4500, 500, { oldest: 4500n }));
    expect(held.load(1000, 500)).toBeUndefined();
  });

  it("is no more than xterm.js has room for", () => {
    held.redraw(redraw(50_000));
    expect(held.load(2000, SCROLLBACK - 7)?.count).toBe(7);
    held.unanswered();
    expect(held.load(2000, SCROLLBACK)).toBeUndefined();
  });

  it("is a redraw first, where too much has been printed since the last", () => {
    held.redraw(redraw(5000));
    held.output(new Uint8Array(LIVE_LIMIT + 1));
    expect(held.load(2000, 600)).toEqual({ type: "redraw", before: 5000n, count: 2600, depth: 0 });
    expect(held.load(2000, 600)).toBeUndefined();
    held.redraw(redraw(9000));
    expect(held.goOn()).toEqual({ type: "lines", before: 9000n, count: 2600, depth: 0 });
    expect(held.goOn()).toBeUndefined();
  });

  it("is a redraw first on a new connection, whose server may count otherwise", () => {
    held.redraw(redraw(5000));
    held.load(1000, 0);
    held.reconnected();
    expect(held.load(1000, 0)?.type).toBe("redraw");
  });
});

describe("what is held", () => {
  it("is shown in order: lines, screen, output since", () => {
    held.redraw(redraw(100));
    held.load(30, 0);
    held.output(bytes("one"));
    expect(held.take(piece(90, 10, { last: false }))).toBe(false);
    held.output(bytes("two"));
    expect(held.take(piece(70, 20))).toBe(true);
    expect(text(held.all())).toBe("\x1bc\x1b[20l<70+20><90+10>\x1b[m\n\nSCREENonetwo");
  });

  it("goes on through the margin where the newest line does", () => {
    held.redraw(redraw(100));
    held.take(piece(99, 1, { wrapped: true }));
    expect(text(held.all())).toBe("\x1bc\x1b[20l<99+1>\x1b[m  \r\n\nSCREEN");
  });

  it("takes no piece that leaves a gap or doubles a line", () => {
    held.redraw(redraw(100));
    held.load(30, 0);
    for (const wrong of [piece(80, 10), piece(95, 10), piece(100, 5)]) {
      expect(held.take({ ...wrong, last: false })).toBe(false);
    }
    expect(held.held).toBe(0);
    expect(held.take(piece(0, 0))).toBe(false); // nothing there
    expect(held.load(30, 0)).toBeDefined();
  });

  it("takes a piece that has held lines again, and more", () => {
    held.redraw(redraw(100));
    held.take(piece(90, 10, { last: false }));
    held.take(piece(85, 5));
    for (const again of [piece(90, 10), piece(85, 5), piece(70, 19)]) expect(held.take(again)).toBe(false);
    expect(held.take(piece(80, 10))).toBe(true);
    expect(text(held.all())).toBe("\x1bc\x1b[20l<80+10><90+10>\x1b[m\n\nSCREEN");
  });

  it("stays with a redraw of the same size and line numbers, and goes with any other", () => {
    const take = (): void => {
      held.redraw(redraw(100));
      held.take(piece(90, 10));
    };
    take();
    expect(held.redraw(redraw(100, { data: bytes("NEW") }))).toBe(true);
    expect(text(held.all())).toBe("\x1bc\x1b[20l<90+10>\x1b[m\n\nNEW");
    for (const change of [{ top: 101n }, { oldest: 1n }, { rows: 4 }, { cols: 81 }]) {
      const other = redraw(100, change);
      take();
      expect(held.redraw(other)).toBe(false);
      expect(held.held).toBe(0);
      expect(text(held.all())).toBe("\x1bc\x1b[20lSCREEN");
    }
  });

  it("is kept whole while lines are under way, and given up beyond that", () => {
    held.redraw(redraw(100));
    held.load(30, 0);
    held.output(new Uint8Array(LIVE_LIMIT + 1));
    held.take(piece(90, 10));
    expect(held.all()?.length).toBeGreaterThan(LIVE_LIMIT);
    expect(held.all()).toBeUndefined();
    held.redraw(redraw(100));
    held.load(30, 0);
    for (let times = 0; times < 9; times++) held.output(new Uint8Array(LIVE_LIMIT));
    expect(held.all()).toBeUndefined();
  });

  it("is nothing after a stream that continues nothing", () => {
    held.redraw(redraw(100));
    held.take(piece(90, 10));
    held.clear();
    held.output(bytes("x"));
    expect(held.all()).toBeUndefined();
    expect(held.load(10, 0)).toBeUndefined();
  });
});
