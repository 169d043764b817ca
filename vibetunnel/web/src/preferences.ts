/** What the user has chosen in this browser. */

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

const SIDE_BY_SIDE = "vibetunnel.side-by-side";

/** Whether the user wants both versions of a file beside each other, where they fit. */
export function prefersSideBySide(storage: () => Storage = ours): boolean {
  try {
    return storage().getItem(SIDE_BY_SIDE) !== null;
  } catch {
    return false;
  }
}

export function preferSideBySide(wanted: boolean, storage: () => Storage = ours): void {
  try {
    if (wanted) storage().setItem(SIDE_BY_SIDE, "1");
    else storage().removeItem(SIDE_BY_SIDE);
  } catch {
    // The choice cannot be kept, so it holds for this page only.
  }
}

/** Reading it throws, as its methods do, if the user blocks the data of sites. */
function ours(): Storage {
  return localStorage;
}
