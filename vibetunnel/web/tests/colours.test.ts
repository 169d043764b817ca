/** The program's colours over the theme, and the reversed screen, in whatever order they come. */

import { Terminal } from "@xterm/xterm";
import { beforeEach, describe, expect, it } from "vitest";

import { Colours, parsed } from "../src/colours.js";
import { DARK, LIGHT } from "../src/palette.js";

const REVERSE = "\x1b[?25;5h";
const OWN = "\x1b]10;#112233;#445566\x07\x1b]4;1;rgb:f/80/ffff;255;#abc;256;#123456;x;#fff\x07";

let term: Terminal;
let colours: Colours;
let changes: number;

beforeEach(() => {
  term = new Terminal({ allowProposedApi: true });
  changes = 0;
  colours = new Colours(term.parser, () => changes++);
});

function write(data: string): Promise<void> {
  return new Promise((resolve) => term.write(data, resolve));
}

describe("a program's colours", () => {
  it("lie over the theme, whichever it is", async () => {
    await write(OWN);
    for (const theme of [DARK, LIGHT]) {
      const { extendedAnsi, ...rest } = colours.over(theme);
      const own = { foreground: "#112233", background: "#445566", red: "#ff80ff" };
      expect(rest).toEqual({ ...theme, ...own, cursor: "#112233", cursorAccent: "#445566" });
      expect(extendedAnsi).toHaveLength(240);
      expect([extendedAnsi?.[0], extendedAnsi?.[231 - 16], extendedAnsi?.[232 - 16], extendedAnsi?.at(-1)]).toEqual([
        "rgb(0,0,0)",
        "rgb(255,255,255)",
        "rgb(8,8,8)",
        "#a0b0c0",
      ]);
    }
  });

  it.each([
    ["before", OWN + REVERSE],
    ["after", REVERSE + OWN],
  ])("are exchanged on a reversed screen: set %s it", async (_when, output) => {
    await write(output);
    expect(colours.over(DARK)).toMatchObject({ foreground: "#445566", background: "#112233", red: "#ff80ff" });
    expect(colours.over(DARK)).toMatchObject({ cursor: "#445566", cursorAccent: "#112233" });
    await write("\x1b[?5l");
    expect(colours.over(DARK)).toMatchObject({ foreground: "#112233", background: "#445566" });
  });

  it("are reset one by one or all, and outlive RIS, which ends the reversed screen", async () => {
    await write(`${OWN}\x1b]12;#010203\x07${REVERSE}\x1bc`);
    expect(colours.over(DARK)).toMatchObject({ foreground: "#112233", cursor: "#010203" });
    await write("\x1b]4;0;#fff\x07\x1b]104;1;;7;x\x07\x1b]110\x07\x1b]111;\x07");
    expect(colours.over(DARK).black).toBe("#f0f0f0"); // an empty number is none
    expect(colours.over(DARK)).toMatchObject({ foreground: DARK.foreground, background: DARK.background, red: DARK.red });
    expect(colours.over(DARK).extendedAnsi?.at(-1)).toBe("#a0b0c0");
    await write("\x1b]104\x07\x1b]112\x07");
    expect(colours.over(DARK)).toMatchObject(DARK);
    expect(colours.over(DARK).extendedAnsi?.at(-1)).toBe("rgb(238,238,238)");
  });

  it("are told of once for all that came together, and not for what changes nothing", async () => {
    await write(Array.from({ length: 256 }, (_, index) => `\x1b]4;${index};#fff\x07`).join("") + REVERSE);
    expect(changes).toBe(1);
    await write("\x1b[?5h\x1b[?25l");
    expect(changes).toBe(1);
  });

  it("are what XParseColor reads; a query and other spellings set nothing", async () => {
    expect(["#FFF", "#123456", "#123456789", "#1234abcd5678"].map(parsed)).toEqual([
      "#f0f0f0",
      "#123456",
      "#124578",
      "#12ab56",
    ]);
    expect(["RGB:0/8/f", "rgb:12/345/6789"].map(parsed)).toEqual(["#0088ff", "#123467"]);
    expect(["?", "", "#12", "#12345", "#1234567890abcde", "rgb:1/2", "rgb:1/2/12345", "red"].map(parsed)).toEqual(
      Array(8).fill(undefined),
    );
    await write("\x1b]10;?\x07\x1b]4;1;?;2\x07\x1b]11;red\x07");
    expect(colours.over(DARK)).toMatchObject(DARK);
  });
});
