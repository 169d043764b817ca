/** Share links: the order for a new one, and their texts. Pure. */

import type { Share, ShareOrder, ShareRole } from "./api.js";
import { left } from "./format.js";

interface Option {
  /** The form's value: a number; empty: no limit. */
  readonly value: string;
  readonly words: string;
}

/** Seconds. */
export const EXPIRIES: readonly Option[] = [
  { value: "3600", words: "in 1 hour" },
  { value: "86400", words: "in 1 day" },
  { value: "604800", words: "in 7 days" },
  { value: "2592000", words: "in 30 days" },
  { value: "", words: "when revoked" },
];

export const USES: readonly Option[] = [
  { value: "", words: "anyone" },
  { value: "1", words: "1 person" },
  { value: "2", words: "2 people" },
  { value: "5", words: "5 people" },
  { value: "10", words: "10 people" },
];

/** The order from a filled form. */
export function shareOrder(role: ShareRole, form: FormData): ShareOrder {
  const name = form.get("name");
  return {
    role,
    expires: limit(form.get("expires")),
    uses: limit(form.get("uses")),
    name: typeof name === "string" ? name.trim() : "",
  };
}

function limit(value: FormDataEntryValue | null): number | null {
  return typeof value === "string" && value !== "" ? Number(value) : null;
}

/** The title of a link in a list. */
export function shareTitle({ name, role }: Pick<Share, "name" | "role">): string {
  const kind = role === "type" ? "type" : "watch";
  return name === "" ? `Link to ${kind}` : `${name} · ${kind}`;
}

/** How often a link was used, and how many of its guests are here: "used 1 of 5, 1 here". */
export function usage({ uses, used, people }: Pick<Share, "uses" | "used" | "people">): string {
  const times = uses === null ? (used === 0 ? "not used" : `used ${used}×`) : `used ${used} of ${uses}`;
  return people > 0 ? `${times}, ${people} here` : times;
}

/** When a link expires. */
export function expiry({ expiresAt }: Pick<Share, "expiresAt">, now_ms: number): string {
  if (expiresAt === null) return "until revoked";
  const time = left(expiresAt, now_ms);
  return time === "now" ? "expired" : `expires in ${time}`;
}

/** Whether an address works only on this machine. */
export function isForThisMachineOnly(url: string): boolean {
  try {
    const { hostname } = new URL(url);
    return hostname === "localhost" || hostname.endsWith(".localhost") || /^(127(\.\d+){3}|\[::1\])$/.test(hostname);
  } catch {
    return false;
  }
}
