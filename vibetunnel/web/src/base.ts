/**
 * The application's root on this host. The application's own paths begin with "/" and are relative to that root, which
 * lies elsewhere on a server with --base-path: the document's <base> says where.
 */

/** The path of the root on this host; ends with "/". */
export function root(base: string = document.baseURI): string {
  return new URL(".", base).pathname;
}

/** The address of one of the application's paths. */
export function address(path: string, base: string = document.baseURI): URL {
  return new URL(`.${path}`, base);
}

/** The address of a WebSocket at one of the application's paths. */
export function socketAddress(path: string, base: string = document.baseURI): URL {
  const url = address(path, base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

/** The path on this host of one of the application's paths, for links. */
export function href(path: string, base: string = document.baseURI): string {
  const { pathname, search, hash } = address(path, base);
  return pathname + search + hash;
}

/** The application's path for a path on this host; undefined outside the application. */
export function inside(pathname: string, base: string = document.baseURI): string | undefined {
  const prefix = root(base);
  if (pathname.startsWith(prefix)) return pathname.slice(prefix.length - 1);
  return pathname === prefix.slice(0, -1) ? "/" : undefined;
}
