/** The screen's decisions that need no browser: sizes and keys. */

import { afterEach, describe, expect, it, vi } from "vitest";

import { delay_ms } from "../src/backoff.js";
import { keepClientId, takeClientId, uuid } from "../src/client-id.js";
import { fit, scaledFont } from "../src/fit.js";
import { keyBytes } from "../src/keyboard.js";
import { pressOf, pressOfBar } from "../src/keys.js";

describe("fit", () => {
  const cell = { width: 8, height: 16 };

  it("counts whole cells", () => {
    expect(fit({ width: 647, height: 399 }, cell)).toEqual({ rows: 24, cols: 80 });
  });

  it("does not lose a column to rounding", () => {
    expect(fit({ width: 80 * 8.4, height: 24 * 16 }, { width: 8.4, height: 16 }).cols).toBe(80);
  });

  it("stays within what a terminal can be", () => {
    expect(fit({ width: 1, height: 1 }, cell)).toEqual({ rows: 2, cols: 10 });
    expect(fit({ width: 99_999, height: 99_999 }, cell)).toEqual({ rows: 1000, cols: 1000 });
  });

  it("scales another's screen down, but not beyond what can be read", () => {
    const box = { width: 640, height: 384 };
    expect(scaledFont(box, cell, { rows: 24, cols: 80 }, 14)).toBe(14);
    expect(scaledFont(box, cell, { rows: 24, cols: 100 }, 14)).toBe(11);
    expect(scaledFont(box, cell, { rows: 200, cols: 400 }, 14)).toBe(8);
  });
});

describe("keys", () => {
  const modes = { applicationCursor: false, applicationKeypad: false, otherKeys: 0, kitty: 0, mac: false };
  const unknown = (): undefined => undefined;

  it("of the bar follow the modes", () => {
    const application = { ...modes, applicationCursor: true };
    expect(keyBytes(pressOfBar("up", false), modes, unknown)).toBe("\x1b[A");
    expect(keyBytes(pressOfBar("up", false), application, unknown)).toBe("\x1bOA");
    expect(keyBytes(pressOfBar("left", true), application, unknown)).toBe("\x1b[1;5D");
    expect(keyBytes(pressOfBar("escape", false), modes, unknown)).toBe("\x1b");
    expect(keyBytes(pressOfBar("escape", false), { ...modes, kitty: 1 }, unknown)).toBe("\x1b[27u");
  });

  it("become control characters where there is one", () => {
    const typed = ["c", "C", "[", " ", "?", "é"].map((text) => keyBytes(pressOf(text, true), modes, unknown));
    expect(typed).toEqual(["\x03", "\x03", "\x1b", "\0", "\x7f", "é"]);
  });
});

describe("backoff", () => {
  it("spreads over the upper half of each step", () => {
    expect([delay_ms(0, () => 0), delay_ms(0, () => 1), delay_ms(3, () => 0), delay_ms(99, () => 1)]).toEqual([
      125, 250, 1000, 10_000,
    ]);
  });
});

describe("the client id", () => {
  afterEach(() => void vi.unstubAllGlobals());

  it("is a UUID, also without crypto.randomUUID", () => {
    const { crypto } = globalThis;
    vi.stubGlobal("crypto", { getRandomValues: (array: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(array) });
    expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("is not in the storage while it is in use, so a duplicated tab gets another", () => {
    const map = new Map<string, string>();
    const storage = {
      getItem: (key: string) => map.get(key) ?? null,
      setItem: (key: string, value: string) => void map.set(key, value),
      removeItem: (key: string) => void map.delete(key),
    } as Storage;
    const id = takeClientId("s", storage);
    expect(takeClientId("s", storage)).not.toBe(id);
    keepClientId("s", id, storage);
    expect(takeClientId("s", storage)).toBe(id);
  });
});
