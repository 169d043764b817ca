import { describe, expect, it } from "vitest";

import type { Session } from "../src/api.js";
import { parseEvent } from "../src/events.js";
import { apply, recentFolders } from "../src/sessions.js";

function session(id: string, createdAt: string, more: Partial<Session> = {}): Session {
  const rest = { command: ["sh"], workingDir: "/", status: "running", rows: 24, cols: 80, clients: 0 } as const;
  return { id, name: id, createdAt, ...rest, ...more };
}

const old = session("old", "2024-01-01T00:00:00Z");
const young = session("young", "2024-01-02T00:00:00Z");
const list = [young, old];

describe("the list after an event", () => {
  it("has a new session on top", () => {
    const newest = session("newest", "2024-01-03T00:00:00Z");
    expect(apply(list, { type: "session-created", sessionId: "newest", session: newest })).toEqual([
      newest,
      young,
      old,
    ]);
  });

  it("has a changed session in its place", () => {
    const ended = { ...old, status: "exited", exitCode: 3 } as const;
    expect(apply(list, { type: "session-exited", sessionId: "old", session: ended })).toEqual([young, ended]);
  });

  it("lacks a removed session, even if the event shows it once more", () => {
    expect(apply(list, { type: "session-removed", sessionId: "young", session: young })).toEqual([old]);
  });

  it("has the terminal's title", () => {
    expect(apply(list, { type: "title", sessionId: "old", title: "vim" })).toEqual([young, { ...old, title: "vim" }]);
  });

  it("is the same list when nothing of it changed", () => {
    expect(apply(list, { type: "connected" })).toBe(list);
    expect(apply(list, { type: "bell", sessionId: "old", count: 1 })).toBe(list);
  });
});

it("the folders of sessions are told once, with the newest one first", () => {
  const moved = session("moved", "2024-01-03T00:00:00Z", { folder: "/srv" });
  expect(recentFolders([moved, young, old])).toEqual(["/srv", "/"]);
});

describe("parseEvent", () => {
  it.each(["", "{", "3", "null", "[]", '{"kind":"x"}', '{"type":7}'])("ignores %s", (data) => {
    expect(parseEvent(data)).toBeUndefined();
  });

  it("reads an event", () => {
    expect(parseEvent('{"type":"title","sessionId":"a","title":"b"}')).toEqual({
      type: "title",
      sessionId: "a",
      title: "b",
    });
  });
});
