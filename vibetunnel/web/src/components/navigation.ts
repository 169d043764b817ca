/** What pages ask of the application, as events that bubble up to it. */

/** Ask the application for another page. */
export function go(from: HTMLElement, path: string, replace = false): void {
  from.dispatchEvent(new CustomEvent("vt-go", { detail: { path, replace }, bubbles: true }));
}

/** Tell the application that the login is missing or over. */
export function askForLogin(from: HTMLElement): void {
  from.dispatchEvent(new CustomEvent("vt-log-in", { bubbles: true }));
}

declare global {
  interface HTMLElementEventMap {
    "vt-go": CustomEvent<{ path: string; replace: boolean }>;
    "vt-log-in": CustomEvent<null>;
  }
}
