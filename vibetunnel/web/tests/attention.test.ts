import { describe, expect, it } from "vitest";

import type { Notice, Session } from "../src/api.js";
import { noticeText, noticed, progressText } from "../src/attention.js";
import { pageTitle } from "../src/format.js";
import { apply } from "../src/sessions.js";

const session: Session = {
  id: "a",
  name: "a",
  command: ["sh"],
  workingDir: "/",
  status: "running",
  rows: 24,
  cols: 80,
  clients: 0,
  createdAt: "2024-01-01T00:00:00Z",
};
const notice: Notice = { title: "build", body: "done", urgency: "normal", at: "2024-01-01T00:00:00Z" };
const progress = { state: "set", percent: 42 } as const;

describe("a session", () => {
  it("has the progress that an event tells, until one takes it away", () => {
    const under_way = noticed(session, { type: "progress", progress });
    expect(under_way.progress).toEqual(progress);
    expect(noticed(under_way, { type: "progress", progress: null }).progress).toBeNull();
  });

  it("has the newest notification, in the list too", () => {
    expect(apply([session], { type: "notification", sessionId: "a", notification: notice })).toEqual([
      { ...session, notification: notice },
    ]);
  });

  it("is the same after another event", () => {
    expect(noticed(session, { type: "bell" })).toBe(session);
  });
});

describe("texts", () => {
  it("of progress", () => {
    expect([null, progress, { state: "indeterminate", percent: null } as const].map(progressText)).toEqual([
      "",
      "42%",
      "…",
    ]);
    expect(pageTitle("make", "shell", "42%")).toBe("42% · make · vibetunnel");
  });

  it("of notifications", () => {
    expect([notice, { ...notice, title: "" }, { ...notice, body: "" }].map(noticeText)).toEqual([
      "build: done",
      "done",
      "build",
    ]);
  });
});
