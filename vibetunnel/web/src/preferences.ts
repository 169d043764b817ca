/** What the user has chosen in this browser. */

const PREFIX = "vibetunnel.";
const PASTE_UNASKED = "vibetunnel.paste-unasked";

/** Whether the user wants to see several lines before they are pasted into a program that would run them. */
export function asksBeforePaste(storage: () => Storage = ours): boolean {
  try {
    return storage().getItem(PASTE_UNASKED) === null;
  } catch {
    return true;
  }
}

export function askBeforePaste(ask: boolean, storage: () => Storage = ours): void {
  try {
    if (ask) storage().removeItem(PASTE_UNASKED);
    else storage().setItem(PASTE_UNASKED, "1");
  } catch {
    // The choice cannot be kept, so the user is asked the next time too.
  }
}

/** What the user has chosen under this name in this browser; undefined: nothing, or it cannot be read. */
export function preference(name: string, storage: () => Storage = ours): string | undefined {
  try {
    return storage().getItem(PREFIX + name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function prefer(name: string, value: string, storage: () => Storage = ours): void {
  try {
    storage().setItem(PREFIX + name, value);
  } catch {
    // It lasts as long as the page.
  }
}

/** Reading it throws, as its methods do, if the user blocks the data of sites. */
function ours(): Storage {
  return localStorage;
}
