/**
 * The UUID that names a tab's input stream to a session, kept over reloads of that tab.
 *
 * While a page uses an id, sessionStorage does not have it. A browser copies that storage when a tab is duplicated, and
 * two tabs with one id would write over each other's input.
 */

const PREFIX = "vibetunnel.client.";

/** A random UUID (version 4). crypto.randomUUID exists only in secure contexts, which http://192.168.x.y is not. */
export function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Take this tab's id for a session out of the storage, or make one. */
export function takeClientId(sessionId: string, storage: Storage = sessionStorage): string {
  const key = PREFIX + sessionId;
  const kept = storage.getItem(key);
  storage.removeItem(key);
  return kept ?? uuid();
}

/** Put the id back for the tab's next page. */
export function keepClientId(sessionId: string, id: string, storage: Storage = sessionStorage): void {
  storage.setItem(PREFIX + sessionId, id);
}
