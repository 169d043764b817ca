import { describe, expect, it } from "vitest";

import vectors from "../../../tests/vectors/paste.json";
import { insertedControls, pasted, pastedBy, previewOf, unaskedPaste } from "../src/paste.js";
import { askBeforePaste, asksBeforePaste } from "../src/preferences.js";

describe("the shared vectors", () => {
  it.each(vectors.pastes)("$name", ({ text, plain, bracketed }) => {
    expect(pasted(text, false)).toBe(plain);
    expect(pasted(text, true)).toBe(bracketed);
  });
});

describe("a paste into a program without brackets", () => {
  it.each([
    ["one line", "one line"],
    ["one line\n", "one line"],
    ["one line\r\n", "one line"],
    ["one line\r", "one line"],
    ["one \x1b[201~line\n", "one [201~line"],
    ["", ""],
    ["\n", ""],
  ])("types %j as %j without asking", (text, typed) => {
    expect(unaskedPaste(text)).toBe(typed);
  });

  it.each(["a\nb", "a\r\nb", "a\rb\n", "a\n\n", "\na", "a\r\x00\nb"])("asks before %j", (text) => {
    expect(unaskedPaste(text)).toBeUndefined();
  });
});

describe("the preview", () => {
  it("has the lines that would be typed", () => {
    expect(previewOf("ls\r\n\trm\x1b x\n")).toEqual({ lines: ["ls", "\trm x"], count: 2, whole: true });
    expect(previewOf("a\n\n")).toEqual({ lines: ["a", ""], count: 2, whole: true });
  });

  it("shows characters that would reorder others", () => {
    expect(previewOf("rm \u202etxt.x\u2069").lines).toEqual(["rm \ufffdtxt.x\ufffd"]);
  });

  it("says if it leaves something out", () => {
    const long = previewOf("line\n".repeat(1000));
    expect([long.lines.length, long.count, long.whole]).toEqual([500, 1000, false]);
    const wide = previewOf("x".repeat(30_000) + "\ny");
    expect([wide.lines.length, wide.count, wide.whole]).toEqual([1, 2, false]);
  });
});

describe("an input event", () => {
  const event = (inputType: string, data: string | null, dropped?: string) => {
    const dataTransfer = dropped === undefined ? null : ({ getData: () => dropped } as unknown as DataTransfer);
    return { inputType, data, dataTransfer };
  };

  it.each([
    [event("insertFromPaste", "text"), "text"],
    [event("insertFromDrop", null, "dropped"), "dropped"],
    [event("insertFromYank", null), ""],
    [event("insertText", "two\nlines"), "two\nlines"],
    [event("insertText", "a\x1b[201~"), "a\x1b[201~"],
    [event("insertReplacementText", "two\nlines"), "two\nlines"],
    [event("insertReplacementText", null, "two\nlines"), "two\nlines"],
  ])("pastes: %j", (given, text) => {
    expect(pastedBy(given)).toBe(text);
  });

  it.each([
    event("insertText", "a"),
    event("insertText", "word"),
    event("insertText", "\n"),
    event("insertText", null),
    event("insertReplacementText", "word"),
    event("insertCompositionText", "two\nlines"), // it cannot be cancelled, and may still change
  ])("types: %j", (given) => {
    expect(pastedBy(given)).toBeUndefined();
  });
});

describe("what xterm.js types from its text field", () => {
  it.each([
    ["two\nlines", "two\nlines"],
    ["two\nlines", "before two\nlines"],
    ["a\x1b[201~", "a\x1b[201~"],
    ["a\x9b", "a\x9b"],
  ])("is pasted: %j from %j", (data, field) => {
    expect(insertedControls(data, field)).toBe(true);
  });

  it.each([
    ["日本語", "日本語"],
    ["é", "é"],
    ["\n", "a\n"], // Enter
    ["\x1b[A", "ls"], // a key
    ["\x1b[A", ""],
  ])("is typed: %j from %j", (data, field) => {
    expect(insertedControls(data, field)).toBe(false);
  });
});

it("asks before it pastes lines unless the user wants otherwise", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  } as unknown as Storage;
  expect(asksBeforePaste(() => storage)).toBe(true);
  askBeforePaste(false, () => storage);
  expect(asksBeforePaste(() => storage)).toBe(false);
  askBeforePaste(true, () => storage);
  expect(asksBeforePaste(() => storage)).toBe(true);
});

it("asks each time if the browser blocks the data of sites", () => {
  const blocked = (): Storage => {
    throw new DOMException("The operation is insecure.", "SecurityError");
  };
  askBeforePaste(false, blocked);
  askBeforePaste(true, blocked);
  expect(asksBeforePaste(blocked)).toBe(true);
});
