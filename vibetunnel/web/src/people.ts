/** How the people who are attached to a session are shown. Pure. */

import type { Person, Presence } from "./protocol.js";
import { roleName } from "./users.js";

export const NOBODY: Presence = { people: [], more: 0 };

/** How many are here. */
export function total({ people, more }: Presence): number {
  return people.length + more;
}

/** Oneself first, then who may type, then the others; each in the order of coming. */
export function sorted(people: readonly Person[], ownId: string): readonly Person[] {
  const rank = (each: Person): number => (each.id === ownId ? 0 : each.writable ? 1 : 2);
  return [...people].sort((a, b) => rank(a) - rank(b));
}

/** What is said below a name: "Guest · can type". */
export function describe({ role, writable }: Person): string {
  return `${roleName(role)} · ${writable ? "can type" : "watching"}`;
}

/** What putting somebody out does not do. */
export function returning({ guest }: Person): string {
  return guest
    ? "A link that is still good lets them in again: revoke it under Share."
    : "With their account they can come back.";
}

/** For a label: "3 people here". */
export function summary(presence: Presence): string {
  const count = total(presence);
  return count === 1 ? "1 person here" : `${count} people here`;
}
