import { describe, expect, it } from "vitest";

import type { PathCompletion } from "../src/file-api.js";
import type { Branch, ChangedFile, Worktree } from "../src/git-api.js";
import {
  branchProblem,
  folderChoices,
  freeBranches,
  namesOf,
  suggestedFolder,
  worktreeName,
  worktreeStats,
} from "../src/worktrees.js";

const worktree: Worktree = {
  path: "/home/ada/proj-x",
  branch: "refs/heads/feature/x",
  HEAD: "0123456789abcdef",
  detached: false,
  commitsAhead: 2,
  filesChanged: 1,
  insertions: 10,
  deletions: 0,
  hasUncommittedChanges: false,
};
const detached = { ...worktree, branch: "", detached: true };

describe("a worktree", () => {
  it("is called by its branch, or by its commit", () => {
    expect([worktreeName(worktree), worktreeName(detached)]).toEqual(["feature/x", "detached at 01234567"]);
  });

  it("tells what the base branch does not have", () => {
    expect(worktreeStats(worktree)).toBe("2 commits, 1 file, +10 −0");
    expect(worktreeStats({ ...worktree, commitsAhead: 0 })).toBe("");
  });

  it.each([
    ["/home/ada/proj", "feature/x", "/home/ada/proj-feature-x"],
    ["/home/ada/proj/", " fix: größe ", "/home/ada/proj-fix-größe"],
    ["/home/ada/proj", "", ""],
    ["/home/ada/proj", "../../etc", "/home/ada/proj-etc"],
  ])("beside %s for %s is suggested in %s", (main, branch, folder) => {
    expect(suggestedFolder(main, branch)).toBe(folder);
  });

  it("that is removed names what is lost", () => {
    const files: ChangedFile[] = ["a", "b", "c", "d", "e", "f", "g", "h"].map((path) => ({ path }));
    expect(namesOf(files.slice(0, 2), false)).toBe("a, b");
    expect(namesOf(files, false)).toBe("a, b, c, d, e, f and 2 more");
    expect(namesOf(files, true)).toBe("a, b, c, d, e, f and many more");
  });
});

const branches: readonly Branch[] = [
  { name: "main", current: true, remote: false, worktree: "/p" },
  { name: "free", current: false, remote: false },
  { name: "used", current: false, remote: false, worktree: "/p-used" },
  { name: "origin/free", current: false, remote: true },
  { name: "origin/remote/only", current: false, remote: true },
  { name: "other/x", current: false, remote: true },
];

describe("branches", () => {
  it("are free if no worktree has them; those of origin are offered by their own name", () => {
    expect(freeBranches(branches)).toEqual(["free", "remote/only"]);
  });

  it.each(["feature/x", "a.b", "größe", "x-1", "@x"])("may be called %s", (name) => {
    expect(branchProblem(name, branches)).toBe("");
  });

  it.each(["a b", "a..b", "/a", "a/", "a.lock", ".a", "a/.b", "-a", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a@{b", "a//b", "@", "a."])(
    "may not be called %s",
    (name) => {
      expect(branchProblem(name, branches)).toMatch(/^A branch's name/);
    },
  );

  it("need a name, which no other branch has", () => {
    expect(branchProblem("", branches)).toBe("Enter a name for the new branch.");
    expect(branchProblem("used", branches)).toBe("The branch used is already there.");
  });
});

describe("the choices of folders", () => {
  const completion = (suggestion: string, more: Partial<PathCompletion> = {}): PathCompletion => ({
    type: "directory",
    suggestion,
    ...more,
  });
  const repositories = [{ path: "/home/ada/proj", gitBranch: "main" }, { path: "/home/ada/code/lamp" }];
  const recent = ["/home/ada/proj", "/srv/data"];
  const paths = (typed: string, completions: readonly PathCompletion[] = []): readonly string[] =>
    folderChoices(typed, recent, repositories, completions, "/home/ada").map((each) => each.path);

  it("are recent folders and repositories, each once and with its branch", () => {
    expect(folderChoices("", recent, repositories, [], "/home/ada")).toEqual([
      { kind: "recent", path: "/home/ada/proj", branch: "main" },
      { kind: "recent", path: "/srv/data", branch: undefined },
      { kind: "repository", path: "/home/ada/code/lamp", branch: undefined },
    ]);
  });

  it("are folders to go on with, and what has the typed name", () => {
    expect(paths("la", [completion("latex/"), completion("lamp.txt", { type: "file" })])).toEqual([
      "latex/",
      "/home/ada/code/lamp",
    ]);
  });

  it("have a folder once, however it is written", () => {
    expect(paths("pro", [completion("proj/")])).toEqual(["proj/"]);
    expect(paths("~/pro", [completion("~/proj/")])).toEqual(["~/proj/"]);
  });
});
