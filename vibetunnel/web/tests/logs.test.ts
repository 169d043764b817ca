import { describe, expect, it } from "vitest";

import type { LogLevel, LogLine } from "../src/api.js";
import { LEVELS, SHOWN, appended, filtered, lineTime } from "../src/logs.js";

function line(number: number, more: Partial<LogLine> = {}): LogLine {
  return { number, at: "2026-11-30T18:20:01.123Z", level: "log", module: "server", text: `line ${number}`, ...more };
}

const ALL = { levels: new Set<LogLevel>(LEVELS), pages: true, text: "" };

describe("the lines of the log", () => {
  it("are kept up to a bound, the newest", () => {
    const many = Array.from({ length: 6000 }, (_, at) => line(at));
    const held = appended(many.slice(0, 4000), many.slice(4000));
    expect(held.length).toBe(5000);
    expect(held.at(-1)?.number).toBe(5999);
    expect(appended(held, [])).toBe(held);
    expect(filtered(held, ALL).length).toBe(SHOWN);
    expect(filtered(held, ALL).at(-1)?.number).toBe(5999);
  });

  it("are filtered by level, by where they come from, and by text", () => {
    const lines = [line(1, { level: "error" }), line(2, { user: "ada", module: "Socket" }), line(3, { text: "Ping" })];
    const numbers = (filter: Partial<typeof ALL>) => filtered(lines, { ...ALL, ...filter }).map((each) => each.number);
    expect(numbers({})).toEqual([1, 2, 3]);
    expect(numbers({ levels: new Set<LogLevel>(["error"]) })).toEqual([1]);
    expect(numbers({ pages: false })).toEqual([1, 3]);
    expect(numbers({ text: " ping " })).toEqual([3]);
    expect(numbers({ text: "socket" })).toEqual([2]);
    expect(numbers({ text: "ada" })).toEqual([2]);
  });

  it("show the date if they are of another day", () => {
    const at = new Date(2026, 10, 30, 8, 5, 1);
    expect(lineTime(at.toISOString(), at)).toBe("08:05:01");
    expect(lineTime(at.toISOString(), new Date(2026, 11, 1))).toBe("30 Nov 08:05:01");
    expect(lineTime("x")).toBe("x");
  });
});
