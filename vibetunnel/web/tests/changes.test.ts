import { describe as suite, expect, it } from "vitest";

import { describe, grouped, isPicture, kindOf, letterOf, neighbour, split, totals } from "../src/changes.js";
import type { ChangedFile } from "../src/git-api.js";

const files: readonly ChangedFile[] = [
  { path: "both", staged: "modified", unstaged: "modified", insertions: 2, deletions: 1 },
  { path: "clash", unstaged: "conflicted" },
  { path: "docs/new.md", unstaged: "untracked", insertions: 1, deletions: 0 },
  { path: "moved", previousPath: "old", staged: "renamed", insertions: 0, deletions: 0 },
  { path: "gone", unstaged: "deleted", insertions: 0, deletions: 4 },
];
const groups = grouped(files);

suite("groups", () => {
  it("have conflicts first and untracked files last; a partly staged file is among the changes", () => {
    expect(groups.map(({ heading, files: members }) => [heading, members.map((each) => each.path)])).toEqual([
      ["Conflicts", ["clash"]],
      ["Staged", ["moved"]],
      ["Changes", ["both", "gone"]],
      ["Untracked", ["docs/new.md"]],
    ]);
  });

  it("are walked in the order in which they are shown, and end at both ends", () => {
    const walk = (from: string | undefined, step: 1 | -1): string | undefined => neighbour(groups, from, step)?.path;
    expect([walk(undefined, 1), walk("clash", 1), walk("moved", 1), walk("docs/new.md", 1)]).toEqual([
      "clash",
      "moved",
      "both",
      "docs/new.md",
    ]);
    expect([walk("clash", -1), walk("both", -1), walk("no longer there", 1)]).toEqual(["clash", "moved", "clash"]);
    expect(neighbour([], undefined, 1)).toBeUndefined();
  });
});

suite("a file", () => {
  it("is described in words", () => {
    expect(files.map(describe)).toEqual([
      "Modified, 2 lines added, 1 line removed, partly staged",
      "In conflict",
      "Untracked, 1 line added",
      "Renamed from old",
      "Deleted, 4 lines removed",
    ]);
  });

  it("that was added and then modified is new; one that was staged and then deleted is deleted", () => {
    expect(kindOf({ path: "a", staged: "added", unstaged: "modified" })).toBe("added");
    expect(letterOf({ path: "a", staged: "modified", unstaged: "deleted" })).toBe("D");
  });

  it("has a folder and a name", () => {
    expect(split("a/b/c.txt")).toEqual({ folder: "a/b/", name: "c.txt" });
    expect(split("a/b/")).toEqual({ folder: "a/", name: "b/" });
    expect(split("c")).toEqual({ folder: "", name: "c" });
  });

  it.each([["a.PNG", true], ["a.svg", false], ["png", false]])("%s is a picture: %s", (path, picture) => {
    expect(isPicture(path)).toBe(picture);
  });
});

it("counts all lines that were counted", () => {
  expect(totals(files)).toEqual({ insertions: 3, deletions: 5 });
});
