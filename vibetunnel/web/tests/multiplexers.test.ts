import { expect, test } from "vitest";

import { Api } from "../src/api.js";
import { MultiplexerApi, type Multiplexers, details, installed, listed, newName } from "../src/multiplexers.js";

const NOW_MS = Date.parse("2026-01-02T03:04:05Z");
const none = { available: false, sessions: [] };

test("those that are installed are named", () => {
  const found: Multiplexers = { tmux: none, zellij: { ...none, available: true }, screen: { ...none, available: true } };
  expect(installed(found)).toEqual(["screen", "zellij"]);
  expect(installed(undefined)).toEqual([]);
  expect(listed(["tmux"])).toBe("tmux");
  expect(listed(["tmux", "screen"])).toBe("tmux and screen");
  expect(listed(["tmux", "screen", "zellij"])).toBe("tmux, screen and zellij");
});

test("a session is described by what is known of it", () => {
  const activity = String(NOW_MS / 1000 - 300);
  const tmux = { name: "a", type: "tmux", windows: 2, attached: true, activity } as const;
  expect(details(tmux, NOW_MS)).toBe("2 windows, in use, active 5 min ago");
  expect(details({ ...tmux, windows: 1, attached: false, activity: String(NOW_MS / 1000) }, NOW_MS)).toBe(
    "1 window, active now",
  );
  expect(details({ ...tmux, activity: "?" }, NOW_MS)).toBe("2 windows, in use");
  expect(details({ name: "a", type: "zellij", created: "1m 2s ago", exited: true }, NOW_MS)).toBe("ended, since 1m 2s");
  expect(details({ name: "4.a", type: "screen" }, NOW_MS)).toBe("");
});

test("a new session without a name gets a free one", () => {
  const taken = ["web", "4711.web-2"].map((name) => ({ name, type: "screen" }) as const);
  expect(newName("own", taken)).toBe("own");
  expect(newName("", [])).toBe("web");
  expect(newName("", taken)).toBe("web-3");
});

test("a name is one part of an address", async () => {
  const asked: string[] = [];
  const api = new Api();
  api.request = <Answer>(method: string, path: string): Promise<Answer> => {
    asked.push(`${method} ${path}`);
    return Promise.resolve({} as Answer);
  };
  await new MultiplexerApi(api).kill("tmux", "a/b?c#d");
  expect(asked).toEqual(["DELETE /api/multiplexer/tmux/sessions/a%2Fb%3Fc%23d"]);
});
