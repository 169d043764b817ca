import { describe, expect, it } from "vitest";

import { filesPath, parseFilesQuery } from "../src/file-address.js";
import {
  above, baseName, crumbs, join, readable, resolve, shellWord, shellWords, within, withoutSlash,
} from "../src/file-paths.js";

describe("a name that the user reads", () => {
  it.each([
    ["a b ünï 日本 👩‍💻.txt", "a b ünï 日本 👩‍💻.txt"],
    ["\u202egpj.exe", "\\u202egpj.exe"],
    ["a\nb\x1b\x7f", "a\\x0ab\\x1b\\x7f"],
    ["\u2066x\u2069\u200f\ufeff", "\\u2066x\\u2069\\u200f\\ufeff"],
    ["caf\uf7e9", "caf\\xe9"], // a byte that is not UTF-8
  ])("of %j is %s", (name, seen) => {
    expect(readable(name)).toBe(seen);
  });
});

describe("paths", () => {
  it("are joined and taken apart, also at the root", () => {
    expect(join("/home", "a")).toBe("/home/a");
    expect(join("/", "a")).toBe("/a");
    expect(above("/home/a")).toBe("/home");
    expect(above("/home")).toBe("/");
    expect(above("/")).toBe("/");
    expect(baseName("/home/a.txt")).toBe("a.txt");
    expect(baseName("/")).toBe("/");
    expect(["/home//", "/home", "/", "~/"].map(withoutSlash)).toEqual(["/home", "/home", "/", "~"]);
  });

  it("are within a folder by whole names", () => {
    expect(within("/home/ada/x", "/home/ada")).toBe(true);
    expect(within("/home/ada", "/home/ada")).toBe(true);
    expect(within("/home/adam", "/home/ada")).toBe(false);
    expect(within("/etc", "/")).toBe(true);
  });

  it.each([
    ["a.py", "/p/a.py"],
    ["./a.py", "/p/a.py"],
    ["../a//b/./c.py", "/a/b/c.py"],
    ["../../../a", "/a"],
    ["/x/../y", "/y"],
    ["~/z", "~/z"],
  ])("are resolved as a program in the folder means them: %s", (path, expected) => {
    expect(resolve(path, "/p")).toBe(expected);
  });

  it("have crumbs from the root on", () => {
    expect(crumbs("/home/ada/p", "/home/ada").map(({ name }) => name)).toEqual(["ada", "p"]);
    expect(crumbs("/", "/")).toEqual([{ name: "/", path: "/" }]);
    expect(crumbs("/a/b", "/").map(({ path }) => path)).toEqual(["/", "/a", "/a/b"]);
    expect(crumbs("/elsewhere", "/home")).toEqual([]);
  });
});

describe("a path for a shell", () => {
  it.each([
    ["/a/b.txt", "/a/b.txt"],
    ["/a b", "'/a b'"],
    ["/it's", `'/it'\\''s'`],
    ["/$(reboot)", "'/$(reboot)'"],
    ["/a;b&c|d`e`", "'/a;b&c|d`e`'"],
    ["/日本", "'/日本'"],
    ["/a\nb", "$'/a\\012b'"],
    ["/\x1b[201~'\\", "$'/\\033[201~\\'\\\\'"],
    ["/\uf7ff", "$'/\\377'"],
    ["/\x85", "$'/\\302\\205'"],
  ])("is one word: %j", (path, word) => {
    expect(shellWord(path)).toBe(word);
  });

  it("leaves room for what the user types next", () => {
    expect(shellWords(["/a", "/b c"])).toBe("/a '/b c' ");
  });
});

describe("addresses", () => {
  it.each(["/home/ada/a b.txt", "/x/&line=3#?", "/%2F/ü", "/日本/+", "~/a", "/a/"])("lead back to the path: %s", (path) => {
    const url = new URL(filesPath(path, 7), "http://x");
    expect(url.pathname).toBe("/files");
    expect(parseFilesQuery(url.search)).toEqual({ path, line: 7 });
  });

  it("can be read", () => {
    expect(filesPath("/home/ada/a.txt")).toBe("/files?path=/home/ada/a.txt");
    expect(filesPath("~/a", 3)).toBe("/files?path=~/a&line=3");
  });

  it.each(["0", "-1", "x", "1e99", ""])("have no line %s", (line) => {
    expect(parseFilesQuery(`?path=/a&line=${line}`)).toEqual({ path: "/a" });
  });

  it("may name no path", () => {
    expect(parseFilesQuery("")).toEqual({ path: "" });
  });
});
