import { describe, expect, it } from "vitest";

import type { FileEntry } from "../src/file-api.js";
import {
  BY_NAME,
  type Folder,
  type View,
  changed,
  fileSize,
  inView,
  reordered,
  rowsOf,
  sorted,
} from "../src/file-listing.js";
import { marksOf } from "../src/file-tree-model.js";

function entry(name: string, more: Partial<FileEntry> = {}): FileEntry {
  return { name, type: "file", size: 0, modified: "2026-01-01T00:00:00Z", isSymlink: false, ...more };
}

const folder = (name: string): FileEntry => entry(name, { type: "directory" });

function ready(...entries: FileEntry[]): Folder {
  return { state: "ready", entries, truncated: false, error: "" };
}

function view(folders: Record<string, Folder>, more: Partial<View> = {}): View {
  return { root: "/p", folders: new Map(Object.entries(folders)), open: new Set(), order: BY_NAME, filter: "", ...more };
}

const names = (entries: readonly FileEntry[]): string[] => entries.map(({ name }) => name);

describe("order", () => {
  const entries = [
    entry("b10", { size: 5, modified: "2026-01-03T00:00:00Z" }),
    entry("b2", { size: 9, modified: "2026-01-01T00:00:00Z" }),
    folder("z"),
    folder("a"),
  ];

  it("puts folders first, and numbers as numbers", () => {
    expect(names(sorted(entries, BY_NAME))).toEqual(["a", "z", "b2", "b10"]);
    expect(names(sorted(entries, { key: "name", descending: true }))).toEqual(["z", "a", "b10", "b2"]);
  });

  it("is not made again for the same entries", () => {
    const order = { key: "size", descending: true } as const;
    expect(sorted(entries, order)).toBe(sorted(entries, order));
    expect(sorted(entries, { ...order, descending: false })).not.toEqual(sorted(entries, order));
  });

  it("goes by size and by time", () => {
    expect(names(sorted(entries, { key: "size", descending: true }))).toEqual(["a", "z", "b2", "b10"]);
    expect(names(sorted(entries, { key: "modified", descending: true }))).toEqual(["a", "z", "b10", "b2"]);
  });

  it("begins with the largest and the newest, and turns round at the second click", () => {
    expect(reordered(BY_NAME, "size")).toEqual({ key: "size", descending: true });
    expect(reordered({ key: "size", descending: true }, "size")).toEqual({ key: "size", descending: false });
    expect(reordered({ key: "size", descending: true }, "name")).toEqual(BY_NAME);
    expect(reordered(BY_NAME, "name")).toEqual({ key: "name", descending: true });
  });
});

describe("rows", () => {
  const folders = {
    "/p": ready(folder("src"), entry("readme.md")),
    "/p/src": ready(folder("deep"), entry("main.py")),
    "/p/src/deep": ready(entry("main.c")),
  };
  const shown = (each: View): string[] => rowsOf(each).map((row) => `${row.level} ${row.entry?.name ?? row.remark}`);

  it("have what is in open folders only", () => {
    expect(shown(view(folders))).toEqual(["1 src", "1 readme.md"]);
    expect(shown(view(folders, { open: new Set(["/p/src"]) }))).toEqual(["1 src", "2 deep", "2 main.py", "1 readme.md"]);
  });

  it("know their place among their neighbours", () => {
    const rows = rowsOf(view(folders, { open: new Set(["/p/src"]) }));
    expect(rows.map(({ path, position, count }) => [path, position, count])).toEqual([
      ["/p/src", 1, 2],
      ["/p/src/deep", 1, 2],
      ["/p/src/main.py", 2, 2],
      ["/p/readme.md", 2, 2],
    ]);
  });

  it("of a filter are the names that have it, with the folders that lead there", () => {
    const open = new Set(["/p/src", "/p/src/deep"]);
    expect(shown(view(folders, { open, filter: "MAIN" }))).toEqual(["1 src", "2 deep", "3 main.c", "2 main.py"]);
    expect(shown(view(folders, { open, filter: "main.c" }))).toEqual(["1 src", "2 deep", "3 main.c"]);
    expect(shown(view(folders, { open, filter: "nothing" }))).toEqual(["1 No name matches"]);
  });

  it("tell about folders that are empty, failed, on their way or too long", () => {
    const of = (each: Folder): string[] => shown(view({ "/p": each }));
    expect(of(ready())).toEqual(["1 Empty"]);
    expect(of({ ...ready(), state: "loading" })).toEqual(["1 Loading…"]);
    expect(of({ ...ready(), state: "failed", error: "Not allowed" })).toEqual(["1 Not allowed"]);
    expect(of({ ...ready(entry("a")), truncated: true })).toEqual(["1 a", "1 Only the first 1 are shown"]);
    expect(of({ ...ready(entry("a")), state: "loading" })).toEqual(["1 a"]); // a refresh does not flicker
    expect(of({ ...ready(entry("a")), state: "failed", error: "No answer" })).toEqual(["1 No answer", "1 a"]);
  });

  it("of a filter tell of a folder that is too long to be searched whole", () => {
    const long = { "/p": { ...ready(entry("a"), entry("b")), truncated: true } };
    expect(shown(view(long, { filter: "a" }))).toEqual(["1 a", "1 Only the first 2 were searched"]);
    expect(shown(view(long, { filter: "z" }))).toEqual(["1 None of the first 2 matches"]);
  });
});

describe("what is drawn", () => {
  it("is what can be seen, and a little more", () => {
    expect(inView(5000, 26, 0, 260)).toEqual([0, 22]);
    expect(inView(5000, 26, 26_000, 260)).toEqual([988, 1022]);
    expect(inView(3, 26, 0, 260)).toEqual([0, 3]);
    expect(inView(3, 26, 9_999, 260)).toEqual([3, 3]); // the list became shorter
  });
});

describe("sizes", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [10_239, "10 KiB"],
    [1024 * 1024 - 1, "1.0 MiB"],
    [3 * 1024 ** 3, "3.0 GiB"],
    [2 ** 60, "1048576 TiB"],
  ])("%d is %s", (size, text) => {
    expect(fileSize(size)).toBe(text);
  });
});

describe("times", () => {
  const now = Date.parse("2026-06-15T12:00:00Z");
  it.each([
    ["2026-06-15T11:59:30Z", "now"],
    ["2026-06-12T12:00:00Z", "3 d"],
    ["2026-03-12T12:00:00Z", "12 Mar"],
    ["2024-03-12T12:00:00Z", "12 Mar 2024"],
  ])("%s is %s", (iso, text) => {
    expect(changed(iso, now)).toBe(text);
  });
});

describe("marks", () => {
  it("stand at changed files, and at the folders that lead to them", () => {
    const changes = { modified: ["src/deep/a.py"], added: ["b"], deleted: [], untracked: ["new/"] };
    expect([...marksOf(changes, "/p")]).toEqual([
      ["/p/src/deep", "•"],
      ["/p/src", "•"],
      ["/p/src/deep/a.py", "M"],
      ["/p/b", "A"],
      ["/p/new", "U"],
    ]);
  });
});
