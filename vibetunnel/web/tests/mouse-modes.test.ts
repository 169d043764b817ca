/** The mouse is reported in the encoding that the program has set last. */

import { Terminal } from "@xterm/xterm";
import { describe, expect, it } from "vitest";

import { MouseModes, reencoded } from "../src/mouse-modes.js";

describe("a report", () => {
  it.each([
    ["\x1b[<0;10;5M", "\x1b[M *%", "\x1b[32;10;5M"],
    ["\x1b[<0;10;5m", "\x1b[M#*%", "\x1b[35;10;5M"],
    ["\x1b[<18;10;5m", "\x1b[M3*%", "\x1b[51;10;5M"],
    ["\x1b[<35;300;200M", "\x1b[MC\u014c\u00e8", "\x1b[67;300;200M"],
    ["\x1b[<65;1;1M", "\x1b[Ma!!", "\x1b[97;1;1M"],
    ["\x1b[<0;3000;5M", "", "\x1b[32;3000;5M"],
    ["a", "a", "a"],
  ])("%j", (sgr, utf8, urxvt) => {
    expect(reencoded(sgr, true)).toBe(utf8);
    expect(reencoded(sgr, false)).toBe(urxvt);
  });
});

describe("the encoding", () => {
  const SGR = "\x1b[<0;10;5M";
  const URXVT = "\x1b[32;10;5M";
  const UTF8 = "\x1b[M *%";

  /** What becomes of an SGR report. */
  async function after(...output: readonly string[]): Promise<string> {
    const term = new Terminal({ allowProposedApi: true });
    const modes = new MouseModes(term.parser);
    for (const each of output) await new Promise<void>((done) => term.write(each, done));
    const found = modes.encoded(SGR);
    modes.dispose();
    term.dispose();
    return found;
  }

  it.each([
    [["\x1b[?1006h"], SGR],
    [["\x1b[?1015h"], URXVT],
    [["\x1b[?1005h"], UTF8],
    [["\x1b[?1006;1015h"], URXVT],
    [["\x1b[?1015;1006h"], SGR],
    [["\x1b[?1016h", "\x1b[?1015h"], URXVT],
    [["\x1b[?1015h\x1b[?1006l"], URXVT],
    [["\x1b[?1015h", "\x1b[?1015l"], SGR],
    [["\x1b[?1015h\x1b[?1015l"], SGR],
    [["\x1b[?1006h\x1b[?1005l"], SGR],
    [["\x1b[?1006h\x1b[?1016l"], SGR],
    [["\x1b[?1015h", "\x1bc"], SGR],
  ])("after %j", async (output, report) => {
    expect(await after(...output)).toBe(report);
  });
});
