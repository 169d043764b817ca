/** Requests of pages to the application, as events that bubble up to it. Paths are the application's. */

/** Ask the application for another page. */
export function go(from: HTMLElement, path: string, replace = false): void {
  from.dispatchEvent(new CustomEvent("vt-go", { detail: { path, replace }, bubbles: true }));
}

/** Tell the application that the server no longer knows this login. */
export function loginOver(from: HTMLElement): void {
  from.dispatchEvent(new CustomEvent("vt-login-over", { bubbles: true }));
}

/** Ask the application for the login page. */
export function askForLogin(from: HTMLElement): void {
  from.dispatchEvent(new CustomEvent("vt-log-in", { bubbles: true }));
}

/** Ask the application to log out. `failed` gets the message of a failure. */
export function logOut(from: HTMLElement, failed: (message: string) => void): void {
  from.dispatchEvent(new CustomEvent("vt-log-out", { detail: { failed }, bubbles: true }));
}

/** Tell the application that the user has logged in, and which page comes next. */
export function loggedIn(from: HTMLElement, path: string): void {
  from.dispatchEvent(new CustomEvent("vt-logged-in", { detail: { path }, bubbles: true }));
}

declare global {
  interface HTMLElementEventMap {
    "vt-go": CustomEvent<{ path: string; replace: boolean }>;
    "vt-login-over": CustomEvent<null>;
    "vt-log-in": CustomEvent<null>;
    "vt-log-out": CustomEvent<{ failed: (message: string) => void }>;
    "vt-logged-in": CustomEvent<{ path: string }>;
  }
}
