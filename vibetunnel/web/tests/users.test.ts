import { describe, expect, it } from "vitest";

import { describe as described, returning, sorted, summary, total } from "../src/people.js";
import type { Person } from "../src/protocol.js";
import { type User, initials, isGuest, may, mayShare, roleName, tone } from "../src/users.js";

const nobody: User = {
  userId: "ada",
  authenticated: false,
  role: null,
  scopes: [],
  sessionId: null,
  csrfToken: null,
};

function person(id: string, more: Partial<Person> = {}): Person {
  return { id, user: id, role: "writer", writable: false, guest: false, since: "2026-01-02T03:04:05Z", ...more };
}

describe("what a user may do", () => {
  it("is nothing before it is known, or without a login", () => {
    expect(may(undefined, "view")).toBe(false);
    expect(may({ ...nobody, scopes: ["view"] }, "view")).toBe(false);
  });

  it("is what the scopes say", () => {
    const writer: User = { ...nobody, authenticated: true, role: "writer", scopes: ["view", "type", "control"] };
    expect(may(writer, "control")).toBe(true);
    expect(may(writer, "admin")).toBe(false);
  });

  it("is sharing what they made themselves, or everything", () => {
    const writer: User = { ...nobody, authenticated: true, role: "writer", scopes: ["view", "type", "control"] };
    expect(mayShare(writer, { owner: "ada" })).toBe(true);
    expect(mayShare(writer, { owner: "bob" })).toBe(false);
    expect(mayShare({ ...writer, scopes: ["view", "type", "control", "admin"] }, { owner: "bob" })).toBe(true);
    expect(mayShare({ ...writer, scopes: ["view"] }, { owner: "ada" })).toBe(false);
  });

  it("is nothing outside of their session for guests, whatever they may do there", () => {
    const guest: User = { ...nobody, authenticated: true, role: "guest", scopes: ["view", "type"], sessionId: "s" };
    expect(isGuest(guest)).toBe(true);
    expect(may(guest, "type")).toBe(false);
  });
});

describe("a name", () => {
  it.each([
    ["ada", "A"],
    ["Ada Lovelace", "AL"],
    ["ada.lovelace@example.org", "AL"],
    ["élise_b-c", "ÉC"],
    ["9lives", "9"],
    ["@", "?"],
    ["", "?"],
  ])("%j has the initials %s", (name, letters) => {
    expect(initials(name)).toBe(letters);
  });

  it("always has the same colour", () => {
    expect(tone("ada")).toBe(tone("ada"));
    expect(new Set(["ada", "bob", "cleo", "dan", "eve", "fay", "gus"].map(tone)).size).toBeGreaterThan(2);
  });
});

describe("a role", () => {
  it.each([
    ["owner", "Owner"],
    ["guest", "Guest"],
    ["toString", "toString"],
  ])("%s reads %s", (role, words) => {
    expect(roleName(role)).toBe(words);
  });
});

describe("the people of a session", () => {
  const people = [person("a"), person("b", { writable: true }), person("c"), person("d", { writable: true })];

  it("begin with the user, then people who may type", () => {
    expect(sorted(people, "c").map(({ id }) => id)).toEqual(["c", "b", "d", "a"]);
    expect(sorted(people, "").map(({ id }) => id)).toEqual(["b", "d", "a", "c"]);
  });

  it("are counted together with those that are not named", () => {
    expect(total({ people, more: 3 })).toBe(7);
    expect(summary({ people: [person("a")], more: 0 })).toBe("1 person here");
    expect(summary({ people, more: 3 })).toBe("7 people here");
  });

  it("say what they may do", () => {
    expect(described(person("a", { role: "guest" }))).toBe("Guest · watching");
    expect(described(person("a", { role: "owner", writable: true }))).toBe("Owner · can type");
  });

  it("may come back after they were put out, each in their own way", () => {
    expect(returning(person("a", { guest: true }))).toContain("A valid link");
    expect(returning(person("a"))).toContain("their account");
  });
});
