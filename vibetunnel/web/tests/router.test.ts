import { describe, expect, it } from "vitest";

import { changesPath, loginPath, parse, safeNext, sessionPath } from "../src/router.js";

describe("parse", () => {
  it.each(["/", "/index.html"])("knows the list: %s", (path) => {
    expect(parse(path)).toEqual({ page: "sessions" });
  });

  it("knows a session", () => {
    const id = "0b7f6b0e-5b9c-4f6d-9d0c-0d6c1a7f3f11";
    expect(parse(sessionPath(id))).toEqual({ page: "terminal", id });
  });

  it("knows the login page, and where to return to", () => {
    expect(parse("/login")).toEqual({ page: "login", next: "/" });
    expect(parse("/login", "?next=%2Fsession%2Fabc")).toEqual({ page: "login", next: "/session/abc" });
  });

  it("knows the changes of a repository, and the session to go back to", () => {
    const [path, search] = changesPath("/home/ada/größe & co", "a-1").split("?");
    expect(parse(path ?? "", `?${search}`)).toEqual({ page: "changes", path: "/home/ada/größe & co", session: "a-1" });
    expect(parse("/changes", "?path=~/x&session=../evil")).toEqual({ page: "changes", path: "~/x" });
    expect(parse("/changes")).toEqual({ page: "changes", path: "~" });
  });

  it("knows the page of the log", () => {
    expect(parse("/logs")).toEqual({ page: "logs" });
    expect(loginPath("/logs")).toBe("/login?next=%2Flogs");
  });

  it("knows where a share link leads", () => {
    expect(parse("/share")).toEqual({ page: "share" });
  });

  it("knows the page of files, with the path and the line", () => {
    expect(parse("/files")).toEqual({ page: "files", path: "" });
    expect(parse("/files", "?path=/home/ada/a%20b.py&line=12")).toEqual({ page: "files", path: "/home/ada/a b.py", line: 12 });
  });

  it.each(["/nothing", "/session/", "/session/a/b", "/api/sessions"])("does not know %s", (path) => {
    expect(parse(path)).toEqual({ page: "unknown", path });
  });
});

describe("returning after the login", () => {
  it("leads back to a page of this client", () => {
    expect(loginPath("/session/abc")).toBe("/login?next=%2Fsession%2Fabc");
    expect(safeNext(changesPath("/home/ada"))).toBe("/changes?path=/home/ada");
    expect(loginPath("/")).toBe("/login");
    expect(safeNext("/files?path=/a/b.py&line=3")).toBe("/files?path=/a/b.py&line=3");
  });

  it.each(["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/login", "/share", "/api/x"])(
    "never leads to %s",
    (next) => {
      expect(safeNext(next)).toBe("/");
    },
  );
});
