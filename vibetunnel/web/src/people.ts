/** The texts about the people attached to a session. Pure. */

import type { Person, Presence } from "./protocol.js";
import { roleName } from "./users.js";

export const NOBODY: Presence = { people: [], more: 0 };

/** The number of people here. */
export function total({ people, more }: Presence): number {
  return people.length + more;
}

/** The user first, then people who may type, then the others, each in the order in which they came. */
export function sorted(people: readonly Person[], ownId: string): readonly Person[] {
  const rank = (each: Person): number => (each.id === ownId ? 0 : each.writable ? 1 : 2);
  return [...people].sort((a, b) => rank(a) - rank(b));
}

/** The text below a name: "Guest · can type". */
export function describe({ role, writable }: Person): string {
  return `${roleName(role)} · ${writable ? "can type" : "watching"}`;
}

/** How a person can come back after being put out. */
export function returning({ guest }: Person): string {
  return guest
    ? "A valid link lets them in again: revoke it under Share."
    : "They can come back with their account.";
}

/** For a label: "3 people here". */
export function summary(presence: Presence): string {
  const count = total(presence);
  return count === 1 ? "1 person here" : `${count} people here`;
}
