import { describe, expect, it } from "vitest";

import { FollowNotices } from "../src/follow-notices.js";
import type { GitApi, GitNotice } from "../src/git-api.js";

function failed(main: string): GitNotice {
  return { level: "error", title: "Sync failed", message: `${main} could not follow x: 1 conflict prevents checkout` };
}

function server(...answers: readonly GitNotice[][]): GitApi {
  const left = [...answers];
  const notices = (): Promise<readonly GitNotice[]> => {
    const next = left.shift();
    return next ? Promise.resolve(next) : Promise.reject(new Error("gone"));
  };
  return { notices } as unknown as GitApi;
}

describe("the notices of follow mode", () => {
  it("are kept after the server has told them, and belong to one main worktree", async () => {
    const kept = new FollowNotices();
    const git = server([failed("/proj")], []);
    for (let times = 0; times < 3; times++) await kept.look(git);
    expect(kept.problem("/proj")).toBe("Sync failed: /proj could not follow x: 1 conflict prevents checkout");
    expect(kept.problem("/pro")).toBe("");
    kept.dismiss("/proj");
    expect(kept.problem("/proj")).toBe("");
  });

  it("no longer name a problem after a sync", async () => {
    const kept = new FollowNotices();
    await kept.look(server([failed("/proj"), { level: "info", title: "Main worktree synced", message: "/proj shows x" }]));
    expect(kept.problem("/proj")).toBe("");
  });
});
