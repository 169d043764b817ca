/** Maps paths to pages, and changes pages without loading the document again. Paths are the application's. */

import { href, inside } from "./base.js";
import { inQuery, parseFilesQuery } from "./file-address.js";

export type Route =
  | { readonly page: "sessions" }
  | { readonly page: "login"; readonly next: string }
  | { readonly page: "share" }
  | { readonly page: "logs" }
  | { readonly page: "terminal"; readonly id: string }
  | { readonly page: "changes"; readonly path: string; readonly session?: string }
  | { readonly page: "files"; readonly path: string; readonly line?: number }
  | { readonly page: "unknown"; readonly path: string };

const SESSION = /^\/session\/([0-9A-Za-z_-]+)\/?$/;

/** The route of a path and its query string. */
export function parse(path: string, search = ""): Route {
  if (path === "/" || path === "/index.html") return { page: "sessions" };
  if (path === "/login" || path === "/login/") {
    return { page: "login", next: safeNext(new URLSearchParams(search).get("next")) };
  }
  if (path === "/share" || path === "/share/") return { page: "share" };
  if (path === "/changes" || path === "/changes/") return { page: "changes", ...changesQuery(search) };
  if (path === "/files" || path === "/files/") return { page: "files", ...parseFilesQuery(search) };
  if (path === "/logs" || path === "/logs/") return { page: "logs" };
  const id = SESSION.exec(path)?.[1];
  if (id !== undefined) return { page: "terminal", id };
  return { page: "unknown", path };
}

export function sessionPath(id: string): string {
  return `/session/${encodeURIComponent(id)}`;
}

/** The path of the page with a repository's changes. path: a folder; session: the one to go back to. */
export function changesPath(path: string, session?: string): string {
  return `/changes?path=${inQuery(path)}${session === undefined ? "" : `&session=${encodeURIComponent(session)}`}`;
}

function changesQuery(search: string): { path: string; session?: string } {
  const query = new URLSearchParams(search);
  const path = query.get("path") ?? "~";
  const session = query.get("session");
  return session !== null && SESSION.test(sessionPath(session)) ? { path, session } : { path };
}

/** The login page's path; after the login the browser goes to `next`. */
export function loginPath(next: string): string {
  const safe = safeNext(next);
  return safe === "/" ? "/login" : `/login?next=${encodeURIComponent(safe)}`;
}

/** `next` if it is a page of this client, else "/": a link must not lead to another site. */
export function safeNext(next: string | null): string {
  if (next === null) return "/";
  const { page } = parse(next.replace(/\?.*$/s, ""));
  return page === "login" || page === "share" || page === "unknown" ? "/" : next;
}

/** Follows the address bar and the document's links. Call stop() when done. */
export class Router {
  private readonly stopping = new AbortController();

  constructor(private readonly onRoute: (route: Route) => void) {}

  /** The application's path in the address bar. */
  get path(): string {
    return inside(location.pathname) ?? location.pathname;
  }

  /** The path with its query, if that belongs to the page. */
  get address(): string {
    const { page } = this.current;
    return page === "files" || page === "changes" ? this.path + location.search : this.path;
  }

  get current(): Route {
    return parse(this.path, location.search);
  }

  start(): void {
    const { signal } = this.stopping;
    addEventListener("popstate", () => this.onRoute(this.current), { signal });
    document.addEventListener("click", (event) => this.follow(event), { signal });
  }

  stop(): void {
    this.stopping.abort();
  }

  go(path: string, { replace = false } = {}): void {
    if (replace) history.replaceState(null, "", href(path));
    else history.pushState(null, "", href(path));
    this.onRoute(this.current);
  }

  private follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return; // the user wants a new tab or window
    const anchor = event.composedPath().find((each) => each instanceof HTMLAnchorElement);
    if (!anchor || anchor.target !== "" || anchor.origin !== location.origin) return;
    const path = inside(anchor.pathname);
    if (path === undefined || parse(path).page === "unknown") return;
    event.preventDefault();
    this.go(path + anchor.search);
  }
}
