import { describe, expect, it } from "vitest";

import type { Session } from "../src/api.js";
import { age, characters, commandLine, counted, ending, folderName, left, pageTitle, remark, stateText, wait } from "../src/format.js";

describe("age", () => {
  const now_ms = Date.parse("2024-05-06T12:00:00Z");

  it.each([
    ["2024-05-06T11:59:30Z", "now"],
    ["2024-05-06T11:59:00Z", "1 min"],
    ["2024-05-06T11:00:01Z", "59 min"],
    ["2024-05-06T09:00:00Z", "3 h"],
    ["2024-05-04T11:00:00Z", "2 d"],
    ["2024-05-06T12:00:09Z", "now"],
    ["soon", ""],
    [undefined, ""],
  ])("of %s is %s", (iso, text) => {
    expect(age(iso, now_ms)).toBe(text);
  });
});

describe("the time left", () => {
  const now_ms = Date.parse("2024-05-06T12:00:00Z");

  it.each([
    ["2024-05-06T11:59:59Z", "now"],
    ["2024-05-06T12:00:10Z", "1 min"],
    ["2024-05-06T13:00:00Z", "60 min"],
    ["2024-05-06T13:31:00Z", "2 h"],
    ["2024-05-07T12:00:00Z", "24 h"],
    ["2024-05-13T12:00:00Z", "7 d"],
    ["soon", "now"],
  ])("until %s is %s", (iso, text) => {
    expect(left(iso, now_ms)).toBe(text);
  });
});

describe("a wait", () => {
  it.each([
    [0.2, "1 s"],
    [89, "89 s"],
    [90, "2 min"],
    [300, "5 min"],
    [7200, "2 h"],
  ])("of %d s reads %s", (seconds, text) => {
    expect(wait(seconds)).toBe(text);
  });
});

describe("commandLine", () => {
  it.each([
    [["htop"], "htop"],
    [["git", "commit", "-m", "two words"], "git commit -m 'two words'"],
    [["echo", "it's", ""], "echo 'it'\\''s' ''"],
    [["/bin/bash", "-c", "make | tee log"], "make | tee log"],
  ])("of %j is %s", (command, text) => {
    expect(commandLine(command)).toBe(text);
  });
});

describe("folderName", () => {
  it.each([
    ["/home/ada", "/home/ada", "~"],
    ["/home/ada/src", "/home/ada", "~/src"],
    ["/home/adam", "/home/ada", "/home/adam"],
    ["/srv", undefined, "/srv"],
    ["/srv", "/", "/srv"],
  ])("of %s with the home %s is %s", (path, home, text) => {
    expect(folderName(path, home)).toBe(text);
  });
});

describe("state of a session that has ended", () => {
  const ended = { status: "exited", exitCode: 3 } as Session;

  it("says how many processes it has left", () => {
    expect(stateText(ended)).toBe("Exited with code 3");
    expect(stateText({ ...ended, processesLeft: 1 })).toBe("Exited with code 3, 1 process left");
    expect(stateText({ ...ended, processesLeft: 2 })).toBe("Exited with code 3, 2 processes left");
  });
});

describe("ending", () => {
  it.each([
    [{ code: 0 }, "Exited"],
    [{ code: 3, signal: 0 }, "Exited with code 3"],
    [{ code: 137, signal: 9 }, "Killed by SIGKILL"],
    [{ code: 143, signal: "TERM" }, "Killed by SIGTERM"],
    [{ code: 190, signal: 62 }, "Killed by signal 62"],
    [{ code: -1, reason: "no such file: /bin/nope" }, "Could not start: no such file: /bin/nope"],
    [{}, "Exited"],
  ])("of %j is %s", (exit, text) => {
    expect(ending(exit)).toBe(text);
  });

  it("is not said twice", () => {
    expect(remark({ code: 129, signal: 1, reason: "ended by SIGHUP" })).toBe("");
    expect(remark({ code: -1, reason: "no such file" })).toBe("");
    expect(remark({ code: 3, signal: 0, reason: "a newer server says why" })).toBe("a newer server says why");
    expect(remark({})).toBe("");
  });
});

describe("pageTitle", () => {
  it("prefers the terminal's title to the session's name", () => {
    expect(pageTitle("vim – notes", "work")).toBe("vim – notes · vibetunnel");
    expect(pageTitle("  ", "work")).toBe("work · vibetunnel");
    expect(pageTitle(undefined, undefined)).toBe("vibetunnel");
  });
});

describe("a number of things", () => {
  it("is one, or several", () => {
    expect([0, 1, 12345].map((count) => counted(count, "file"))).toEqual(["0 files", "1 file", "12,345 files"]);
  });
});

describe("characters", () => {
  it("counts what one sees as one", () => {
    expect(["a", "é漢", "👍"].map(characters)).toEqual(["1 character", "2 characters", "1 character"]);
  });
});
