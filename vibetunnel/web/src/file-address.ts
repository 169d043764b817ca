/** The addresses of folders and files in this client. Pure. */

/** The path in the query of an address, where it stays readable. */
export function inQuery(path: string): string {
  return encodeURIComponent(path).replaceAll("%2F", "/").replaceAll("%7E", "~");
}

/** The address of a folder or a file in this client; that of a folder ends with "/". */
export function filesPath(path: string, line?: number): string {
  return `/files?path=${inQuery(path)}${line === undefined ? "" : `&line=${line}`}`;
}

/** What filesPath() made. path: empty for none. */
export function parseFilesQuery(search: string): { path: string; line?: number } {
  const query = new URLSearchParams(search);
  const path = query.get("path") ?? "";
  const line = Number(query.get("line"));
  return Number.isSafeInteger(line) && line > 0 ? { path, line } : { path };
}
