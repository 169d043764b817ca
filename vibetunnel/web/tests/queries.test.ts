/** Nothing that a program prints makes xterm.js send anything; typing and the mouse still do. */

import { Terminal } from "@xterm/xterm";
import { beforeEach, describe, expect, it } from "vitest";

import { Queries, isFocusReport, isMouseReport } from "../src/queries.js";

const ST = "\x1b\\";

const QUERIES: readonly (readonly [string, string])[] = [
  ["DA1", "\x1b[c\x1b[0c"],
  ["DA2", "\x1b[>c\x1b[>0c"],
  ["DA3", "\x1b[=c"],
  ["DSR", "\x1b[5n"],
  ["CPR", "\x1b[6n"],
  ["DECXCPR", "\x1b[?6n"],
  ["DSR, other private ones", "\x1b[?15n\x1b[?25n\x1b[?26n\x1b[?53n"],
  ["colour scheme", "\x1b[?996n"],
  ["DECRQM", "\x1b[4$p\x1b[20$p"],
  ["DECRQM, private", "\x1b[?1$p\x1b[?25$p\x1b[?2004$p\x1b[?2026$p\x1b[?2027$p"],
  ["DECREQTPARM", "\x1b[x\x1b[1x"],
  ["DECRQCRA", "\x1b[1;1;1;1;2;2*y"],
  ["XTVERSION", "\x1b[>q\x1b[>0q"],
  ["kitty keyboard flags", "\x1b[?u"],
  ["DECRQSS", `\x1bP$qm${ST}\x1bP$qr${ST}\x1bP$q q${ST}\x1bP$q"p${ST}\x1bP$q"q${ST}\x1bP$qz${ST}`],
  ["XTGETTCAP", `\x1bP+q544e${ST}`],
  ["window reports", [11, 13, 14, 15, 16, 18, 19, 20, 21].map((each) => `\x1b[${each}t`).join("")],
  ["window report, with a second parameter", "\x1b[14;2t\x1b[13;2t"],
  ["clipboard", "\x1b]52;c;?\x07"],
  ["focus, which xterm.js reports when it is switched on", "\x1b[?1004h"],
  ["focus among other modes", "\x1b[?1000;1004;2004h"],
  ["ENQ and DECID", "\x05\x1bZ"],
];

let term: Terminal;
let queries: Queries;
let sent: string[];

beforeEach(() => {
  term = new Terminal({ allowProposedApi: true, rows: 5, cols: 20, windowOptions: allWindowReports() });
  queries = new Queries(term.parser);
  sent = [];
  term.onData((data) => {
    if (!queries.answering) sent.push(data);
  });
});

/** More options than the client allows, so that it is not those that keep xterm.js silent. */
function allWindowReports(): Record<string, boolean> {
  const names = ["getWinState", "getWinPosition", "getWinSizePixels", "getScreenSizePixels", "getCellSizePixels"];
  return Object.fromEntries(
    [...names, "getWinSizeChars", "getScreenSizeChars", "getIconTitle", "getWinTitle"].map((name) => [name, true]),
  );
}

function write(data: string): Promise<void> {
  return new Promise((resolve) => term.write(data, resolve));
}

describe("queries", () => {
  it.each(QUERIES)("%s: not answered", async (_name, query) => {
    await write(query);
    expect(sent).toEqual([]);
  });

  it("are not answered byte by byte either, nor with output around them", async () => {
    const stream = QUERIES.map(([, query]) => `text${query}`).join("");
    for (const byte of new TextEncoder().encode(stream)) term.write(Uint8Array.of(byte));
    await write("");
    await write(stream);
    expect(sent).toEqual([]);
  });

  it("would be answered otherwise", async () => {
    queries.dispose();
    await write(QUERIES.map(([, query]) => query).join(""));
    expect(sent).toContain("\x1b[?1;2c");
    expect(sent).toContain("\x1b[O");
    expect(sent.length).toBeGreaterThan(15);
  });

  it("leave nothing on the screen", async () => {
    await write(QUERIES.map(([, query]) => query).join(""));
    expect(term.buffer.active.getLine(0)?.translateToString(true)).toBe("");
    expect(term.buffer.active.cursorX).toBe(0);
  });
});

describe("what is no query", () => {
  it("still works: modes, titles on the stack", async () => {
    const stack: string[] = [];
    term = new Terminal({ allowProposedApi: true, windowOptions: { pushTitle: true, popTitle: true } });
    term.onTitleChange((title) => stack.push(title));
    queries = new Queries(term.parser);
    await write("\x1b[?1004;2004h\x1b[4h");
    await write("\x1b]2;one\x07\x1b[22t\x1b]2;two\x07\x1b[23t");
    expect(term.modes).toMatchObject({ sendFocusMode: true, bracketedPasteMode: true, insertMode: true });
    expect(stack).toEqual(["one", "two", "one"]);
  });

  it("is sent: keys and pastes, also right after a query", async () => {
    await write("\x1b[?1004h\x1b[c");
    term.input("a");
    term.input("\x1b[200~pasted\x1b[201~");
    await write("\x1b[?2004h\x1b[?1004h");
    term.input("\x1b[M !!"); // a mouse report, as its own code sends it
    expect(sent).toEqual(["a", "\x1b[200~pasted\x1b[201~", "\x1b[M !!"]);
  });

  it("is what the mouse does", () => {
    expect(["\x1b[M !!", "\x1b[<35;10;2M", "\x1b[<0;10;2m"].map(isMouseReport)).toEqual([true, true, true]);
    expect(["\x1b[A", "<0;1;1M", "\x1b[<0;1M", "M"].map(isMouseReport)).toEqual([false, false, false, false]);
  });

  it("is a focus that came or went", () => {
    expect(["\x1b[I", "\x1b[O"].map(isFocusReport)).toEqual([true, true]);
    expect(["I", "\x1b[A", "\x1b", "\x1b[Ix"].map(isFocusReport)).toEqual([false, false, false, false]);
  });
});
