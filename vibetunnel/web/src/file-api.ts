/** The server's interface to files, typed. */

import type { Api, Download } from "./api.js";
import { href } from "./base.js";
import { withoutSlash } from "./file-paths.js";
import type { Sent } from "./transfer.js";

export interface FileEntry {
  readonly name: string;
  /** Of a link: of what it leads to. "other" is not opened. */
  readonly type: "file" | "directory" | "other";
  /** Bytes. */
  readonly size: number;
  readonly modified: string;
  readonly isSymlink: boolean;
}

type Change = "modified" | "added" | "deleted" | "untracked";

/** The changed files below a folder, with paths relative to it. */
export type ChangedPaths = Readonly<Record<Change, readonly string[]>>;

export interface Browsed {
  readonly fullPath: string;
  readonly root: string;
  readonly roots: readonly string[];
  /** This user may store files. */
  readonly writable: boolean;
  readonly truncated: boolean;
  readonly files: readonly FileEntry[];
  readonly gitStatus: ChangedPaths | null;
}

export interface Preview {
  readonly type: "text" | "image" | "binary";
  readonly mimeType: string;
  readonly size: number;
  readonly content?: string;
  readonly language?: string;
  readonly truncated?: boolean;
}

/** A way to go on with a path. */
export interface PathCompletion {
  readonly type: FileEntry["type"];
  /** The whole path; that of a folder ends in "/". */
  readonly suggestion: string;
  readonly gitBranch?: string;
}

export interface UploadState {
  readonly id: string;
  readonly name: string;
  /** Bytes that have arrived. */
  readonly offset: number;
  readonly complete: boolean;
}

export class FileApi {
  constructor(private readonly api: Api) {}

  /** A folder. With `changes`, what git says about it, which may take some seconds. */
  browse(path: string, { hidden = false, changes = false } = {}): Promise<Browsed> {
    const query = new URLSearchParams({
      path,
      showHidden: String(hidden),
      gitFilter: changes ? "all" : "none",
    });
    return this.api.request("GET", `/api/fs/browse?${query}`);
  }

  preview(path: string): Promise<Preview> {
    return this.api.request("GET", `/api/fs/preview?${pathQuery(path)}`);
  }

  /** What is at a path; undefined: nothing. It is no error, so that the browser's console does not report one. */
  async kind(path: string): Promise<FileEntry["type"] | undefined> {
    const completions = await this.completions(path);
    return completions.find(({ suggestion }) => withoutSlash(suggestion) === path)?.type;
  }

  /** At most 20 ways to go on with a path. */
  async completions(path: string): Promise<readonly PathCompletion[]> {
    const found = await this.api.request<{ completions: readonly PathCompletion[] }>(
      "GET",
      `/api/fs/completions?${pathQuery(path)}`,
    );
    return found.completions;
  }

  /** A file's bytes, for a view of the browser's own. undefined: they are still those that have the tag `known`. */
  bytes(path: string, signal: AbortSignal, known?: string): Promise<Download | undefined> {
    return this.api.download(`/api/fs/raw?${pathQuery(path)}`, signal, known);
  }

  /** Where a file's bytes are. */
  rawUrl(path: string): string {
    return href(`/api/fs/raw?${pathQuery(path)}`);
  }

  /** Where a folder is as a ZIP file. */
  archiveUrl(path: string): string {
    return href(`/api/fs/archive?${pathQuery(path)}`);
  }

  makeFolder(path: string, name: string): Promise<unknown> {
    return this.api.request("POST", "/api/fs/mkdir", { path, name });
  }

  beginUpload(path: string, name: string, size: number): Promise<UploadState> {
    return this.api.request("POST", "/api/fs/uploads", { path, name, size });
  }

  sendPiece(id: string, offset: number, piece: Blob, sent: Sent, signal: AbortSignal): Promise<UploadState> {
    return this.api.upload("PUT", `/api/fs/uploads/${id}?offset=${offset}`, piece, sent, signal);
  }

  uploadState(id: string): Promise<UploadState> {
    return this.api.request("GET", `/api/fs/uploads/${id}`);
  }

  giveUp(id: string): Promise<unknown> {
    return this.api.request("DELETE", `/api/fs/uploads/${id}`);
  }

  /** Store a file for the terminal. Returns its absolute path. */
  async paste(file: File, sent: Sent, signal: AbortSignal): Promise<string> {
    const form = new FormData();
    form.set("file", file, file.name);
    const { path } = await this.api.upload<{ path: string }>("POST", "/api/files/upload", form, sent, signal);
    return path;
  }
}

function pathQuery(path: string): string {
  return new URLSearchParams({ path }).toString();
}
