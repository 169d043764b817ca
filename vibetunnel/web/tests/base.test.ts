import { describe, expect, it } from "vitest";

import { address, href, inside, root } from "../src/base.js";

const TOP = "https://box.example/";
const BELOW = "https://box.example/tools/terminal/";

describe("at the top of a host", () => {
  it("paths are what they are", () => {
    expect(root(TOP)).toBe("/");
    expect(href("/session/abc?x=1#y", TOP)).toBe("/session/abc?x=1#y");
    expect(inside("/session/abc", TOP)).toBe("/session/abc");
    expect(inside("/", TOP)).toBe("/");
  });
});

describe("below a prefix", () => {
  it("every address has it", () => {
    expect(href("/", BELOW)).toBe("/tools/terminal/");
    expect(href("/api/sessions", BELOW)).toBe("/tools/terminal/api/sessions");
    expect(address("/ws?sessionId=a", BELOW).href).toBe("https://box.example/tools/terminal/ws?sessionId=a");
  });

  it.each([
    ["/tools/terminal/", "/"],
    ["/tools/terminal", "/"],
    ["/tools/terminal/login", "/login"],
    ["/tools/terminals", undefined],
    ["/session/abc", undefined],
    ["/", undefined],
  ])("%s is %s", (pathname, path) => {
    expect(inside(pathname, BELOW)).toBe(path);
  });
});
