/**
 * Where the application lives. Inside it, paths begin with "/" and mean its own root; behind a proxy with a prefix that
 * root is somewhere else, and the document's <base> says where.
 */

/** The root's path on this host; ends with "/". */
export function root(base: string = document.baseURI): string {
  return new URL(".", base).pathname;
}

/** The address of one of the application's paths. */
export function address(path: string, base: string = document.baseURI): URL {
  return new URL(`.${path}`, base);
}

/** The same for a link: a path on this host. */
export function href(path: string, base: string = document.baseURI): string {
  const { pathname, search, hash } = address(path, base);
  return pathname + search + hash;
}

/** The application's path that a path on this host means; undefined outside of it. */
export function inside(pathname: string, base: string = document.baseURI): string | undefined {
  const prefix = root(base);
  if (pathname.startsWith(prefix)) return pathname.slice(prefix.length - 1);
  return pathname === prefix.slice(0, -1) ? "/" : undefined;
}
