/** Redraws and older lines in a real xterm.js, against a server that is a list of lines. */

import { Terminal } from "@xterm/xterm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { History } from "../src/history.js";
import type { Lines } from "../src/protocol.js";
import type { Request } from "../src/scrollback.js";

const CALM_MS = 300;
const PIECE = 300; // lines

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Prints numbered lines on a screen of `rows`, and sends the server's messages about it. */
class Program {
  printed = 0; // lines; the last row is the prompt's
  oldest = 0;
  rows = 5;
  cols = 20;

  get top(): number {
    return Math.max(0, this.printed - this.rows + 1);
  }

  print(lines: number): Uint8Array {
    let data = "";
    for (let each = 0; each < lines; each++) data += `line ${this.printed++}\r\n`;
    return bytes(data);
  }

  redraw(): Uint8Array {
    const lines = Array.from({ length: this.printed - this.top }, (_each, row) => `line ${this.top + row}\r\n`);
    return bytes(`\x18\x1b[!p\x1b[m\x1b[H${lines.join("")}\x1b[?25h`);
  }

  lines({ before, count }: Request): Lines[] {
    const pieces: Lines[] = [];
    const end = Math.max(this.oldest, Number(before) - count);
    let first = Number(before);
    do {
      const last = Math.max(end, first - PIECE);
      const data = Array.from({ length: first - last }, (_each, row) => `\x1b[mline ${last + row}\x1b[m\r\n`);
      const oldest = BigInt(this.oldest);
      const place = { first: BigInt(last), count: data.length, oldest, last: last === end, wrapped: false };
      pieces.push({ type: "lines", ...place, data: bytes(data.join("")) });
      first = last;
    } while (first > end);
    return pieces;
  }
}

let term: Terminal;
let host: EventTarget;
let history: History;
let program: Program;
let requests: Request[];
let reachable: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  const window = new EventTarget();
  vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
  vi.stubGlobal("dispatchEvent", window.dispatchEvent.bind(window));
  program = new Program();
  term = new Terminal({ allowProposedApi: true, rows: program.rows, cols: program.cols, scrollback: 10_000 });
  host = new EventTarget();
  requests = [];
  reachable = true;
  history = new History(term, host, (request) => {
    requests.push(request);
    return reachable;
  });
});

afterEach(() => {
  history.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** All lines of the normal screen, from the oldest on. */
function shown(): string[] {
  const { normal } = term.buffer;
  return Array.from({ length: normal.length }, (_each, row) => normal.getLine(row)?.translateToString(true) ?? "");
}

function numbered(first: number, last: number): string[] {
  return Array.from({ length: last - first }, (_each, row) => `line ${first + row}`);
}

function redraw(continues = false, size: { rows?: number; cols?: number } = {}): void {
  Object.assign(program, size);
  const { rows, cols } = program;
  const place = { offset: 0n, top: BigInt(program.top), oldest: BigInt(program.oldest), rows, cols, alternate: false };
  history.redraw({ type: "redraw", ...place, data: program.redraw() }, continues, () => undefined);
}

function output(data: Uint8Array): void {
  history.output(data, () => undefined);
}

/** Let time pass for xterm.js and for pauses in the client; the server answers nothing. */
function pass(): void {
  vi.advanceTimersByTime(CALM_MS + 100);
}

function answer(): void {
  const request = requests.pop();
  if (request?.type !== "lines") throw new Error(`expected a request for lines, got ${request?.type}`);
  for (const piece of program.lines(request)) history.lines(piece);
  vi.advanceTimersByTime(50);
}

describe("a redraw", () => {
  it("replaces everything, and a thousand lines are fetched when it is calm", () => {
    program.print(5000);
    output(bytes("old\r\nthings"));
    redraw();
    vi.advanceTimersByTime(CALM_MS - 50);
    expect(shown()).toEqual([...numbered(4996, 5000), ""]);
    expect(requests).toEqual([]);
    pass();
    answer();
    expect(shown()).toEqual([...numbered(3996, 5000), ""]);
    pass();
    expect(requests).toEqual([]);
  });

  it("takes the size that it is for", () => {
    program.print(100);
    redraw(false, { rows: 8, cols: 40 });
    pass();
    expect([term.rows, term.cols]).toEqual([8, 40]);
    expect(shown()).toEqual([...numbered(93, 100), ""]);
  });

  it("after redraw fetches once, when they have ended", () => {
    for (let times = 0; times < 10; times++) {
      program.print(100);
      redraw();
      vi.advanceTimersByTime(CALM_MS - 50);
    }
    expect(requests).toEqual([]);
    pass();
    expect(requests).toHaveLength(1);
  });

  it("of the same lines keeps those that were there, and where one reads", () => {
    program.print(100);
    redraw();
    pass();
    answer();
    term.scrollToLine(40);
    redraw();
    pass();
    expect(shown()).toEqual([...numbered(0, 100), ""]);
    expect(term.buffer.active.viewportY).toBe(40);
    expect(requests).toEqual([]);
  });

  it("leaves nothing of the terminal's earlier modes", () => {
    program.print(3);
    output(bytes("\x1b[?2004h\x1b[20h\x1b[?6h\x1b[2;3r\x1b(0"));
    redraw();
    pass();
    expect(term.modes).toMatchObject({ bracketedPasteMode: false, originMode: false });
    expect(shown().slice(0, 3)).toEqual(numbered(0, 3));
  });
});

describe("older lines", () => {
  it("come above output that was printed meanwhile, without a gap or a doubled line", () => {
    program.print(200);
    redraw();
    output(program.print(50));
    pass();
    output(program.print(50));
    answer();
    expect(shown()).toEqual([...numbered(0, 300), ""]);
    output(program.print(1));
    pass();
    expect(shown()).toEqual([...numbered(0, 301), ""]);
  });

  it("are fetched as one comes near the oldest, down to the first, and nothing moves", () => {
    program.print(6000);
    redraw();
    pass();
    answer();
    for (let times = 0; term.buffer.active.viewportY > 0; times++) {
      const at = term.buffer.active.viewportY;
      const before = shown()[at];
      expect(before).toMatch(/^line /);
      pass();
      if (requests.length > 0) answer();
      expect(shown()[term.buffer.active.viewportY]).toBe(before);
      term.scrollLines(-Math.min(500, Math.max(1, term.buffer.active.viewportY - 1)));
      expect(times).toBeLessThan(100);
    }
    expect(shown()).toEqual([...numbered(0, 6000), ""]);
  });

  it("stop at the oldest that the server keeps, and at what xterm.js holds", () => {
    program.print(30_000);
    program.oldest = 28_500;
    redraw();
    pass();
    answer();
    term.scrollToLine(1);
    pass();
    answer();
    expect(shown()[0]).toBe("line 28500");
    term.scrollToLine(1);
    pass();
    expect(requests).toEqual([]);
    program.oldest = 0;
    redraw();
    for (let times = 0; times < 6; times++) {
      pass();
      answer();
      term.scrollToLine(1);
    }
    pass();
    expect(requests).toEqual([]);
    expect(term.buffer.active.baseY).toBe(10_000);
    expect(shown()[0]).toBe("line 19996");
  });

  it("come after a redraw that is not drawn, where much was printed since", () => {
    program.print(3000);
    redraw();
    pass();
    answer();
    output(bytes("\x1b[s.\x1b[u".repeat(200_000)));
    output(program.print(500));
    pass();
    term.scrollToLine(2);
    const before = shown()[2];
    pass();
    expect(requests.pop()).toMatchObject({ type: "redraw", count: 3500 });
    redraw(true);
    expect(requests[0]).toMatchObject({ type: "lines", before: 3496n, count: 3500 });
    vi.advanceTimersByTime(10);
    expect(shown()[2]).toBe(before);
    output(program.print(10));
    answer();
    expect(shown()).toEqual([...numbered(0, 3510), ""]);
    expect(shown()[term.buffer.active.viewportY]).toBe(before);
  });

  it("are asked for again when the question was lost", () => {
    program.print(100);
    reachable = false;
    redraw();
    pass();
    expect(requests).toHaveLength(1);
    reachable = true;
    history.begin(false);
    pass();
    expect(requests).toHaveLength(2);
    history.unanswered();
    history.begin(false);
    pass();
    expect(requests).toHaveLength(3);
  });

  it("wait while the page is hidden", () => {
    program.print(100);
    Object.assign(document, { visibilityState: "hidden" });
    redraw();
    pass();
    expect(requests).toEqual([]);
    Object.assign(document, { visibilityState: "visible" });
    document.dispatchEvent(new Event("visibilitychange"));
    pass();
    expect(requests).toHaveLength(1);
  });

  it("wait while the alternate screen is on", () => {
    program.print(100);
    redraw();
    output(bytes("\x1b[?1049hfull screen"));
    pass();
    expect(requests).toEqual([]);
    output(bytes("\x1b[?1049l"));
    pass();
    output(bytes("\x1b[?1049h\x1b[2J\x1b[Hagain"));
    pass();
    answer();
    expect(term.buffer.active.type).toBe("alternate");
    expect(term.buffer.normal.baseY).toBe(0);
    output(bytes("\x1b[?1049l"));
    pass();
    expect(shown()).toEqual([...numbered(0, 100), ""]);
  });

  it("wait while something is being selected", () => {
    program.print(100);
    redraw();
    pass();
    host.dispatchEvent(new Event("pointerdown"));
    answer();
    pass();
    expect(term.buffer.active.baseY).toBe(0);
    dispatchEvent(new Event("pointerup"));
    pass();
    expect(shown()).toEqual([...numbered(0, 100), ""]);
  });

  it("ring no bell again", () => {
    const bells: boolean[] = [];
    term.onBell(() => bells.push(history.replaying));
    program.print(100);
    redraw();
    output(bytes("\x07"));
    pass();
    answer();
    expect(bells).toEqual([false, true]);
  });

  it("keep a line that goes on through the top of the screen in one piece", () => {
    const wide = { type: "redraw", offset: 0n, top: 1n, oldest: 0n, rows: 5, cols: 20, alternate: false } as const;
    history.redraw({ ...wide, data: bytes("\x18\x1b[!p\x1b[m\x1b[Hthe end\r\n") }, false, () => undefined);
    pass();
    const line = { type: "lines", first: 0n, count: 1, oldest: 0n, last: true, wrapped: true } as const;
    history.lines({ ...line, data: bytes("\x1b[m" + "x".repeat(20)) });
    vi.advanceTimersByTime(50);
    expect(shown().slice(0, 2)).toEqual(["x".repeat(20), "the end"]);
    expect(term.buffer.active.baseY).toBe(1);
    expect(term.buffer.active.getLine(1)?.isWrapped).toBe(true);
  });
});

describe("the size", () => {
  it("changes while the user reads further up: the lines are fetched, and the place is found again", () => {
    program.print(3000);
    redraw();
    pass();
    answer();
    term.scrollToLine(500);
    redraw(false, { cols: 30 });
    pass();
    expect(requests).toHaveLength(1);
    answer();
    const { baseY, viewportY } = term.buffer.active;
    expect(baseY - viewportY).toBe(500);
  });
});

describe("a stream that continues nothing", () => {
  it("clears the screen with its first output", () => {
    output(program.print(100));
    history.begin(true);
    pass();
    expect(shown()).toHaveLength(101);
    output(bytes("new"));
    pass();
    expect(shown()).toEqual(["new", "", "", "", ""]);
  });
});

describe("the end", () => {
  it("has no cursor, also after lines were put in", () => {
    const hidden = vi.fn(() => false);
    program.print(100);
    redraw();
    pass();
    history.end();
    term.parser.registerCsiHandler({ prefix: "?", final: "l" }, ([mode]) => mode === 25 && hidden());
    term.parser.registerCsiHandler({ prefix: "?", final: "h" }, ([mode]) => mode === 25 && hidden.mockClear() && false);
    answer();
    expect(hidden).toHaveBeenCalledTimes(1);
  });
});
