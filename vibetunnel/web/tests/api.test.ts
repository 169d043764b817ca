import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Api, ApiError, retryAfter } from "../src/api.js";

const USER = { userId: "ada", authenticated: true, role: "owner", scopes: ["view"], sessionId: null };
const CSRF = { error: "expected a token of this login in X-CSRF-Token", code: "csrf" };

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token: string | null;
}

let asked: Asked[];
let answers: Map<string, () => Response | Promise<Response>>;
let tokens: (string | null)[];

/** A server that gives the `answers` of the test, and hands out `tokens` one after the other. */
function fakeFetch(path: string, init: RequestInit): Promise<Response> {
  const method = init.method ?? "GET";
  asked.push({ method, path, token: new Headers(init.headers).get("X-CSRF-Token") });
  if (path === "/api/auth/current-user") {
    const csrfToken = tokens.length > 1 ? tokens.shift() : tokens[0];
    return Promise.resolve(Response.json({ ...USER, csrfToken }));
  }
  return Promise.resolve(answers.get(`${method} ${path}`)?.() ?? Response.json({ success: true }));
}

beforeEach(() => {
  asked = [];
  answers = new Map();
  tokens = ["t-1", "t-2"];
  vi.stubGlobal("document", { baseURI: "http://127.0.0.1:4020/" });
  vi.stubGlobal("fetch", fakeFetch);
});

afterEach(() => vi.unstubAllGlobals());

const of = (method: string): Asked[] => asked.filter((each) => each.method === method);

describe("what changes something", () => {
  it("has the login's token, which is asked for once", async () => {
    const api = new Api();
    await api.kill("s1");
    await api.rename("s1", "name");
    expect(asked.map(({ method, token }) => [method, token])).toEqual([
      ["GET", null],
      ["DELETE", "t-1"],
      ["PATCH", "t-1"],
    ]);
  });

  it("is tried once more with another token when the first is not for this login", async () => {
    answers.set("POST /api/cleanup-exited", () =>
      asked.at(-1)?.token === "t-2" ? Response.json({}) : Response.json(CSRF, { status: 403 }),
    );
    await new Api().cleanUpExited();
    expect(of("POST").map(({ token }) => token)).toEqual(["t-1", "t-2"]);
  });

  it("fails when the second token is refused too", async () => {
    answers.set("POST /api/cleanup-exited", () => Response.json(CSRF, { status: 403 }));
    await expect(new Api().cleanUpExited()).rejects.toMatchObject({ status: 403, code: "csrf" });
    expect(of("POST")).toHaveLength(2);
  });

  it("goes without a token where there is no cookie", async () => {
    tokens = [null];
    await new Api().kill("s1");
    expect(of("DELETE")).toEqual([{ method: "DELETE", path: "/api/sessions/s1", token: null }]);
  });

  it("has a new token after a login", async () => {
    const api = new Api();
    await api.kill("s1");
    await api.loginByPassword("ada", "secret");
    await api.kill("s1");
    expect(of("DELETE").map(({ token }) => token)).toEqual(["t-1", "t-2"]);
  });
});

describe("what only reads", () => {
  it("has no token", async () => {
    await new Api().sessions();
    expect(asked).toEqual([{ method: "GET", path: "/api/sessions", token: null }]);
  });
});

describe("a logout", () => {
  it("is sent after the answers of requests that are under way", async () => {
    let answer: (response: Response) => void = () => undefined;
    answers.set("GET /api/config", () => new Promise((resolve) => (answer = resolve)));
    const api = new Api();
    const config = api.config();
    const left = api.logout();
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    answer(Response.json({ serverId: "a" }));
    await Promise.all([config, left]);
    expect(asked.map(({ path }) => path)).toEqual(["/api/config", "/api/auth/current-user", "/api/auth/logout"]);
  });

  it("does not wait long", async () => {
    vi.useFakeTimers();
    answers.set("GET /api/config", () => new Promise(() => undefined));
    const api = new Api();
    void api.config();
    const left = api.logout();
    await vi.advanceTimersByTimeAsync(1_000);
    await left;
    expect(of("POST").map(({ path }) => path)).toEqual(["/api/auth/logout"]);
    vi.useRealTimers();
  });
});

describe("below a prefix", () => {
  it("everything is asked for there", async () => {
    vi.stubGlobal("document", { baseURI: "https://box.example/terminal/" });
    await new Api().sessions();
    expect(asked[0]?.path).toBe("/terminal/api/sessions");
  });
});

describe("a refusal", () => {
  const listener = { unauthorized: vi.fn(), forbidden: vi.fn() };

  beforeEach(() => vi.clearAllMocks());

  it("for want of a login is told to the application", async () => {
    answers.set("GET /api/sessions", () => Response.json({ error: "Authentication required" }, { status: 401 }));
    await expect(new Api(listener).sessions()).rejects.toBeInstanceOf(ApiError);
    expect(listener.unauthorized).toHaveBeenCalledOnce();
  });

  it("of a password is the login page's own affair", async () => {
    answers.set("POST /api/auth/password", () => Response.json({ error: "wrong" }, { status: 401 }));
    await expect(new Api(listener).loginByPassword("ada", "x")).rejects.toMatchObject({ status: 401 });
    expect(listener.unauthorized).not.toHaveBeenCalled();
  });

  it("for want of a right makes the application look again who this is", async () => {
    answers.set("DELETE /api/sessions/s1", () => Response.json({ error: "no" }, { status: 403 }));
    await expect(new Api(listener).kill("s1")).rejects.toMatchObject({ message: "no" });
    expect(listener.forbidden).toHaveBeenCalledOnce();
  });

  it("for too many tries says how long to wait", async () => {
    const slow = (): Response => Response.json({ error: "x" }, { status: 429, headers: { "Retry-After": "7" } });
    answers.set("POST /api/auth/code", slow);
    await expect(new Api().loginByCode("ABCDE")).rejects.toMatchObject({ status: 429, retryAfter_s: 7 });
  });
});

describe("Retry-After", () => {
  const now_ms = Date.parse("2026-01-01T00:00:00Z");

  it.each([
    ["120", 120],
    ["0", 1],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30],
    ["soon", 10],
    [null, 10],
  ])("%j means %d s", (header, seconds) => {
    expect(retryAfter(header, now_ms)).toBe(seconds);
  });
});
