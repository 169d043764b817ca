/** Who is logged in, and what they may do here. Pure. */

export type Role = "owner" | "writer" | "viewer" | "guest";
export type ScopeName = "view" | "type" | "control" | "admin";

/** What GET /api/auth/current-user says. */
export interface User {
  readonly userId: string;
  readonly authenticated: boolean;
  readonly role: Role | null;
  readonly scopes: readonly ScopeName[];
  /** The one session that a guest is here for. */
  readonly sessionId: string | null;
  /** For the header X-CSRF-Token; null where there is no cookie to abuse. */
  readonly csrfToken: string | null;
}

const ROLES: Readonly<Record<Role, string>> = { owner: "Owner", writer: "Writer", viewer: "Viewer", guest: "Guest" };

/** Whether they may do this with every session. Nobody, as long as it is not known who they are. */
export function may(user: User | undefined, scope: ScopeName): boolean {
  return user?.authenticated === true && user.role !== "guest" && user.scopes.includes(scope);
}

/** Whether they may share a session, and say who types there: an administrator, or who made it. */
export function mayShare(user: User | undefined, session: { readonly owner?: string } | undefined): boolean {
  if (may(user, "admin")) return true;
  return may(user, "control") && (session?.owner === undefined || session.owner === user?.userId);
}

/** Whether they came by a link to one session: they see no other. */
export function isGuest(user: User | undefined): boolean {
  return user?.role === "guest";
}

/** A role in words; as it came, if a newer server knows more. */
export function roleName(role: string): string {
  return Object.hasOwn(ROLES, role) ? ROLES[role as Role] : role;
}

/** One or two letters for a name: "ada.lovelace@example.org" and "Ada Lovelace" are "AL". */
export function initials(name: string): string {
  const words = name.replace(/(?<=.)@.*/u, "").split(/[\s._@+-]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => firstLetter(word ?? ""));
  return letters.join("").toUpperCase() || "?";
}

function firstLetter(word: string): string {
  return /[\p{L}\p{N}]/u.exec(word)?.[0] ?? "";
}

const TONES = 6; // as many as styles/people.css has

/** Which of the colours a name has: always the same. */
export function tone(name: string): number {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return sum % TONES;
}
