import { describe, expect, it } from "vitest";

import { expiry, isForThisMachineOnly, shareOrder, shareTitle, usage } from "../src/shares.js";

function form(fields: Readonly<Record<string, string>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return data;
}

describe("the order for a link", () => {
  it("has numbers, and null for what has no limit", () => {
    expect(shareOrder("view", form({ expires: "86400", uses: "", name: " Ada " }))).toEqual({
      role: "view",
      expires: 86400,
      uses: null,
      name: "Ada",
    });
    expect(shareOrder("type", form({ expires: "", uses: "1" }))).toEqual({
      role: "type",
      expires: null,
      uses: 1,
      name: "",
    });
  });
});

describe("a link", () => {
  it("is called after whom it is for", () => {
    expect(shareTitle({ name: "", role: "view" })).toBe("Link to watch");
    expect(shareTitle({ name: "Ada", role: "type" })).toBe("Ada · type");
  });

  it.each([
    [{ uses: null, used: 0, people: 0 }, "not used"],
    [{ uses: null, used: 3, people: 0 }, "used 3×"],
    [{ uses: 5, used: 2, people: 1 }, "used 2 of 5, 1 here"],
  ])("%j reads %s", (share, words) => {
    expect(usage(share)).toBe(words);
  });

  it("says when it ends", () => {
    const now_ms = Date.parse("2026-01-01T00:00:00Z");
    expect(expiry({ expiresAt: null }, now_ms)).toBe("until revoked");
    expect(expiry({ expiresAt: "2026-01-01T03:00:00Z" }, now_ms)).toBe("expires in 3 h");
    expect(expiry({ expiresAt: "2025-12-31T00:00:00Z" }, now_ms)).toBe("expired");
  });
});

describe("an address for this machine only", () => {
  it.each(["http://localhost:4020/share#x", "http://127.0.0.1/share", "http://[::1]:4020/", "http://a.localhost/"])(
    "is %s",
    (url) => {
      expect(isForThisMachineOnly(url)).toBe(true);
    },
  );

  it.each(["https://box.example/share#x", "http://192.168.1.2:4020/", "http://127.example.org/", "nonsense"])(
    "is not %s",
    (url) => {
      expect(isForThisMachineOnly(url)).toBe(false);
    },
  );
});
