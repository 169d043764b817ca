/** What the user has chosen in this browser. */

const PASTE_UNASKED = "vibetunnel.paste-unasked";

/** Whether the user wants to see several lines before they are pasted into a program that would run them. */
export function asksBeforePaste(storage: Storage = localStorage): boolean {
  return storage.getItem(PASTE_UNASKED) === null;
}

export function askBeforePaste(ask: boolean, storage: Storage = localStorage): void {
  if (ask) storage.removeItem(PASTE_UNASKED);
  else storage.setItem(PASTE_UNASKED, "1");
}
