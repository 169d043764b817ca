import { describe, expect, it } from "vitest";

import type { Session } from "../src/api.js";
import { repositoryText } from "../src/repository.js";

describe("the repository of a session", () => {
  const session = { id: "a" } as Session;

  it("is told in words", () => {
    const more = { gitBranch: "main", gitIsWorktree: true, gitChangedCount: 3, gitAheadCount: 1, gitBehindCount: 2 };
    expect(repositoryText({ ...session, ...more })).toBe(
      "main, a linked worktree, 3 changed files, 1 commit ahead, 2 commits behind",
    );
    expect(repositoryText({ ...session, gitChangedCount: 1 })).toBe("no branch, 1 changed file");
    expect(repositoryText({ ...session, gitBranch: "x" })).toBe("x, no changes");
  });
});
