/** What keys send, against tables of what xterm and kitty send. */

import { Terminal } from "@xterm/xterm";
import { describe, expect, it } from "vitest";

import steps from "../../../tests/vectors/keyboard-modes.json";
import vectors from "../../../tests/vectors/keys.json";
import { KeyboardLayout } from "../src/keyboard-layout.js";
import { KeyboardModes } from "../src/keyboard-modes.js";
import { type Key, type KeyModes, keyBytes } from "../src/keyboard.js";

const MODES: KeyModes = { applicationCursor: false, applicationKeypad: false, otherKeys: 0, kitty: 0, mac: false };
const LAYOUTS: Readonly<Record<string, Readonly<Record<string, string>>>> = vectors.layouts;

type Row = readonly (string | null)[];
type KittyRow = readonly [string, string, string, string, Key["type"], Readonly<Record<string, number>>];

function key(code: string, name: string, modifiers: string, more: Partial<Key> = {}): Key {
  return {
    type: "press",
    key: name,
    code,
    shift: modifiers.includes("s"),
    alt: modifiers.includes("a"),
    ctrl: modifiers.includes("c"),
    meta: false,
    altGraph: false,
    capsLock: modifiers.includes("l"),
    numLock: modifiers.includes("n"),
    ...more,
  };
}

function hex(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function layoutOf(name: string): (code: string) => string | undefined {
  return (code) => LAYOUTS[name]?.[code];
}

function sent(pressed: Key, modes: Partial<KeyModes>, layout = "us"): string | undefined {
  return keyBytes(pressed, { ...MODES, ...modes }, layoutOf(layout));
}

describe("the tables", () => {
  it.each([0, 1, 2])("xterm's, with modifyOtherKeys %d", (otherKeys) => {
    const wrong = (vectors.xterm as readonly Row[]).flatMap(([layout, code, name, modifiers, ...bytes]) => {
      const expected = bytes[otherKeys];
      if (expected === null || expected === undefined) return [];
      const found = sent(key(code ?? "", name ?? "", modifiers ?? ""), { otherKeys }, layout ?? "");
      return found !== undefined && hex(found) === expected ? [] : [{ layout, code, modifiers, expected, found }];
    });
    expect(wrong).toEqual([]);
  });

  it("xterm's, in application mode", () => {
    const modes = { applicationCursor: true, applicationKeypad: true };
    const wrong = (vectors.application as readonly Row[]).flatMap(([code, name, modifiers, expected]) => {
      const found = sent(key(code ?? "", name ?? "", modifiers ?? ""), modes);
      return found !== undefined && hex(found) === expected ? [] : [{ code, modifiers, expected, found }];
    });
    expect(wrong).toEqual([]);
  });

  it("kitty's, with all flags", () => {
    const wrong = (vectors.kitty as unknown as readonly KittyRow[]).flatMap(
      ([layout, code, name, modifiers, type, rows]) =>
        Object.entries(rows).flatMap(([expected, flags]) =>
          Array.from({ length: 32 }, (_, kitty) => kitty)
            .filter((kitty) => (flags >>> kitty) & 1)
            .flatMap((kitty) => {
              const pressed = key(code, name, modifiers, { type });
              const types = name.length === 1 && !pressed.ctrl && !pressed.alt && type !== "release";
              const found = hex(sent(pressed, { kitty }, layout) ?? (types ? name : ""));
              return found === expected ? [] : [{ layout, code, modifiers, type, kitty, expected, found }];
            }),
        ),
    );
    expect(wrong).toEqual([]);
  });
});

describe("text", () => {
  const german = layoutOf("de");

  it.each([0, 1, 2])("is left to the browser, with modifyOtherKeys %d", (otherKeys) => {
    expect(sent(key("KeyA", "a", ""), { otherKeys })).toBeUndefined();
    expect(sent(key("KeyA", "A", "s"), { otherKeys })).toBeUndefined();
    expect(sent(key("Semicolon", "ö", ""), { otherKeys })).toBeUndefined();
  });

  it.each([0, 1, 5, 7])("of AltGr wins over Ctrl and Alt, with kitty's flags %d", (kitty) => {
    const modes = { ...MODES, kitty };
    expect(keyBytes(key("KeyQ", "@", "ac", { altGraph: true }), modes, german)).toBeUndefined(); // Windows
    expect(keyBytes(key("KeyQ", "@", "", { altGraph: true }), modes, german)).toBeUndefined(); // Linux
  });

  it("of AltGr is an event of its key where all keys are", () => {
    const modes = { ...MODES, kitty: 25 };
    expect(keyBytes(key("KeyQ", "@", "ac", { altGraph: true }), modes, german)).toBe("\x1b[113;;64u");
  });

  it("of AltGr can be pressed with Ctrl where AltGr is not Ctrl and Alt", () => {
    expect(sent(key("KeyQ", "@", "c", { altGraph: true }), {}, "de")).toBe("\0");
    expect(sent(key("Minus", "\\", "c", { altGraph: true }), {}, "de")).toBe("\x1c");
  });

  it("of Option wins on a Mac; with Ctrl it is Alt", () => {
    expect(sent(key("KeyL", "@", "a"), { mac: true })).toBeUndefined();
    expect(sent(key("KeyL", "@", "a"), { mac: true, kitty: 1 })).toBeUndefined();
    expect(sent(key("KeyL", "l", "ac"), { mac: true })).toBe("\x1b\x0c");
    expect(sent(key("ArrowLeft", "ArrowLeft", "a"), { mac: true })).toBe("\x1b[1;3D");
  });

  it("on a keyboard without Latin letters: Ctrl takes the letter at that place", () => {
    expect(sent(key("KeyC", "с", "c"), {})).toBe("\x03");
    expect(sent(key("KeyC", "с", "a"), {})).toBe("\x1bс");
    expect(sent(key("KeyC", "с", "c"), { kitty: 5 })).toBe("\x1b[1089::99;5u");
  });

  it("with Cmd or the desktop's key is never the program's", () => {
    expect(sent(key("KeyC", "c", "", { meta: true }), { kitty: 31 })).toBeUndefined();
    expect(sent(key("MetaLeft", "Meta", "", { meta: true }), { kitty: 8 })).toBe("\x1b[57444;9u");
  });

  it("of the keypad is typed with NumLock, and on a Mac, in application mode too", () => {
    const modes = { applicationKeypad: true };
    expect(sent(key("Numpad5", "5", "n"), modes)).toBeUndefined();
    expect(sent(key("Numpad5", "5", ""), { ...modes, mac: true })).toBeUndefined();
    expect(sent(key("NumpadEnter", "Enter", "n"), modes)).toBe("\r");
    expect(sent(key("NumpadAdd", "+", ""), modes)).toBe("\x1bOk");
  });
});

describe("F13 to F35", () => {
  it("have xterm's numbers, and kitty's in its protocol", () => {
    expect(["F13", "F20", "F21", "F35"].map((name) => sent(key(name, name, ""), {}))).toEqual([
      "\x1b[25~",
      "\x1b[34~",
      "\x1b[42~",
      "\x1b[56~",
    ]);
    expect(sent(key("F35", "F35", "s"), {})).toBe("\x1b[56;2~");
    expect(sent(key("F35", "F35", "s"), { kitty: 1 })).toBe("\x1b[57398;2u");
  });
});

describe("the keyboard's modes", () => {
  it("are those of the server's engine", async () => {
    const term = new Terminal({ allowProposedApi: true });
    const modes = new KeyboardModes(term.parser, () => term.buffer.active.type === "alternate");
    const found: unknown[] = [];
    for (const [output] of steps.steps) {
      await new Promise<void>((done) => term.write(String(output), done));
      found.push([output, modes.kitty, modes.otherKeys]);
    }
    expect(found).toEqual(steps.steps);
    modes.dispose();
    term.dispose();
  });
});

describe("the layout", () => {
  it("is what the browser tells, and what was typed", async () => {
    const layout = new KeyboardLayout({ keyboard: { getLayoutMap: () => Promise.resolve([["Digit2", "é"]] as const) } });
    await Promise.resolve();
    expect(layout.of("Digit2")).toBe("é");
    layout.learn(key("KeyA", "q", ""));
    layout.learn(key("KeyA", "Q", "s"));
    layout.learn(key("KeyB", "B", "l"));
    expect([layout.of("KeyA"), layout.of("KeyB")]).toEqual(["q", undefined]);
    expect(sent(key("Digit2", "2", "sc"), { kitty: 5 }, "fr")).toBe("\x1b[233:50:50;6u");
  });

  it("is learned where the browser may not tell", async () => {
    const layout = new KeyboardLayout({ keyboard: { getLayoutMap: () => Promise.reject(new Error("not allowed")) } });
    await Promise.resolve();
    layout.learn(key("KeyQ", "a", ""));
    expect(layout.of("KeyQ")).toBe("a");
  });
});
