/** An upload in pieces: where the next piece begins and ends, how much has gone, and what is tried again. Pure. */

export const PIECE = 8 * 1024 * 1024; // bytes; what a broken connection sends again at most
export const ATTEMPTS = 6; // of a piece, after which the user is asked

/** The next piece, [begin, end); undefined: nothing is left. An empty file is one empty piece. */
export function nextPiece(offset: number, size: number, sentOne: boolean): readonly [number, number] | undefined {
  if (offset >= size && (sentOne || size > 0)) return undefined;
  return [offset, Math.min(size, offset + PIECE)];
}

/** How much has gone, 0 to 100, of files of these sizes. Without any byte, it is 100 when all are complete. */
export function percent(done: number, all: number, complete: boolean): number {
  if (complete) return 100;
  return all === 0 ? 0 : Math.min(99, Math.floor((100 * done) / all));
}

/** Whether a failure may pass by itself: no answer, too many requests, or a server that is busy or restarts. */
export function passes(status: number): boolean {
  return status === 0 || status === 409 || status === 429 || status === 502 || status === 503 || status === 504;
}

/** A file to upload. folder: below the folder that the user has chosen, "" for that one. */
export interface Chosen {
  readonly file: File;
  readonly folder: string;
}

/** The folders that have to be made first, each after the one above it. */
export function foldersOf(chosen: readonly Chosen[]): readonly string[] {
  const all = new Set<string>();
  for (const { folder } of chosen) {
    const parts = folder.split("/").filter((part) => part !== "");
    parts.forEach((_, index) => all.add(parts.slice(0, index + 1).join("/")));
  }
  return [...all].sort((a, b) => a.split("/").length - b.split("/").length);
}
