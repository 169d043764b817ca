/** The user, and what the user may do here. Pure. */

export type Role = "owner" | "writer" | "viewer" | "guest";
export type ScopeName = "view" | "type" | "control" | "admin" | "files";

/** The answer of GET /api/auth/current-user. */
export interface User {
  readonly userId: string;
  readonly authenticated: boolean;
  readonly role: Role | null;
  readonly scopes: readonly ScopeName[];
  /** A guest's one session. */
  readonly sessionId: string | null;
  /** For the header X-CSRF-Token; null if the login has no cookie. */
  readonly csrfToken: string | null;
}

const ROLES: Readonly<Record<Role, string>> = { owner: "Owner", writer: "Writer", viewer: "Viewer", guest: "Guest" };

/** Whether the user may do this with every session; false while the user is not known. */
export function may(user: User | undefined, scope: ScopeName): boolean {
  return user?.authenticated === true && user.role !== "guest" && user.scopes.includes(scope);
}

/** Whether the user may look at files: at all, or (a guest) at those of the one session. */
export function mayUseFiles(user: User | undefined): boolean {
  return user?.authenticated === true && user.scopes.includes("files");
}

/** Whether the user may share a session and give the right to type: its maker, or an administrator. */
export function mayShare(user: User | undefined, session: { readonly owner?: string } | undefined): boolean {
  if (may(user, "admin")) return true;
  return may(user, "control") && (session?.owner === undefined || session.owner === user?.userId);
}

/** Whether the user followed a link to one session, and sees no other. */
export function isGuest(user: User | undefined): boolean {
  return user?.role === "guest";
}

/** A role in words; unchanged, if a newer server has another one. */
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

const TONES = 6; // colours in styles/people.css

/** The colour of a name: always the same one. */
export function tone(name: string): number {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 9973;
  return sum % TONES;
}
