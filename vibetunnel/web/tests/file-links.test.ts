import headless from "@xterm/headless";
import type { ILink } from "@xterm/xterm";
import { describe, expect, it, vi } from "vitest";

import { type FileOpener, FileLinkProvider, printedLine } from "../src/file-link-provider.js";
import { fileLinks } from "../src/file-links.js";

const found = (text: string): string[] => fileLinks(text).map(({ path, line }) => `${path} ${line}`);

describe("places in files", () => {
  it.each([
    ["src/a.py:12: error: x", ["src/a.py 12"]],
    ["src/a.py:12:5: note", ["src/a.py 12"]],
    [" --> src/main.rs:4:9", ["src/main.rs 4"]],
    ["./a.c:1:found by grep", ["./a.c 1"]],
    ["/abs/dir/x.go:3", ["/abs/dir/x.go 3"]],
    ["~/x.rs:4", ["~/x.rs 4"]],
    ["at f (lib/a.js:10:3) and (b.js:2)", ["lib/a.js 10", "b.js 2"]],
    ["src/x.ts(12,5): error TS2304", ["src/x.ts 12"]],
    ['  File "/a b/c.py", line 7, in f', ["/a b/c.py 7"]],
    ["--file=a.py:3", ["a.py 3"]],
    ["Makefile.in:3, Dir/Makefile:9", ["Makefile.in 3", "Dir/Makefile 9"]],
    ["ü/日本.txt:2", ["ü/日本.txt 2"]],
  ])("are found in %j", (text, places) => {
    expect(found(text)).toEqual(places);
  });

  it.each([
    "at 12:30",
    "error:3",
    "http://host:8080/x",
    "https://example.com/a.py:3",
    "192.168.1.1:80",
    "a.py:0",
    "a.py:12abc",
    "a.py: 12",
    "",
  ])("are not found in %j", (text) => {
    expect(found(text)).toEqual([]);
  });

  it("say where they are printed", () => {
    const [link] = fileLinks("in src/a.py:12:5.");
    expect("in src/a.py:12:5.".slice(link?.begin, link?.end)).toBe("src/a.py:12:5");
  });

  it("are bounded, whatever a program prints", () => {
    expect(fileLinks("a.py:1 ".repeat(10_000))).toHaveLength(8);
    for (const part of ["a", "a.", "/", 'File "', "a.py(", "a.py:1:"]) {
      expect(fileLinks(part.repeat(50_000)).length).toBeLessThanOrEqual(8);
    }
  });
});

async function screen(text: string, cols = 20): Promise<headless.Terminal> {
  const term = new headless.Terminal({ rows: 8, cols, allowProposedApi: true });
  await new Promise<void>((resolve) => term.write(text, resolve));
  return term;
}

describe("links", () => {
  const opener = (files: readonly string[]) => {
    const kind = vi.fn((path: string) => Promise.resolve(files.includes(path) ? ("file" as const) : undefined));
    return { folder: () => "/p", kind, open: vi.fn(), missing: vi.fn() } satisfies FileOpener;
  };
  const links = (provider: FileLinkProvider, row: number): Promise<ILink[] | undefined> =>
    new Promise((resolve) => provider.provideLinks(row, resolve));

  it("are made of files that exist, and open them", async () => {
    const term = await screen("src/a.py:12 b.py:3");
    const files = opener(["/p/src/a.py"]);
    const provider = new FileLinkProvider(term, () => files, () => false);
    const all = await links(provider, 1);
    expect(all?.map(({ text, range }) => [text, range])).toEqual([
      ["src/a.py:12", { start: { x: 1, y: 1 }, end: { x: 11, y: 1 } }],
    ]);
    all?.[0]?.activate({} as MouseEvent, "");
    await vi.waitFor(() => expect(files.open).toHaveBeenCalledWith("/p/src/a.py", 12));
    await links(provider, 1);
    expect(files.kind).toHaveBeenCalledTimes(2); // once for each path
  });

  it("of a finger are looked for when they are tapped", async () => {
    const term = await screen("b.py:3");
    const files = opener([]);
    const all = await links(new FileLinkProvider(term, () => files, () => true), 1);
    expect(files.kind).not.toHaveBeenCalled();
    all?.[0]?.activate({} as MouseEvent, "");
    await vi.waitFor(() => expect(files.missing).toHaveBeenCalledWith("b.py"));
    expect(files.open).not.toHaveBeenCalled();
  });

  it("are not looked for while the pointer passes over the row", async () => {
    const term = await screen("b.py:3\r\nc.py:4");
    const files = opener(["/p/b.py", "/p/c.py"]);
    const provider = new FileLinkProvider(term, () => files, () => false);
    const first = vi.fn();
    provider.provideLinks(1, first);
    expect(await links(provider, 2)).toHaveLength(1);
    expect(first).not.toHaveBeenCalled();
    expect(files.kind.mock.calls).toEqual([["/p/c.py"]]);
  });

  it("are none for a user without files", async () => {
    const term = await screen("b.py:3");
    expect(await links(new FileLinkProvider(term, () => undefined, () => false), 1)).toBeUndefined();
  });

  it("go over the end of a row, and count wide characters as two cells", async () => {
    const term = await screen("日本 src/long/name.py:12", 16);
    const files = opener(["/p/src/long/name.py"]);
    const all = await links(new FileLinkProvider(term, () => files, () => false), 2);
    expect(all?.[0]?.range).toEqual({ start: { x: 6, y: 1 }, end: { x: 8, y: 2 } });
    expect(printedLine(term.buffer.active, 16, 1).text).toContain("日本 src/long/name.py:12");
  });
});
