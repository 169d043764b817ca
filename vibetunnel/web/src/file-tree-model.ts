/** The folders that a user has opened: fetched when they are opened, kept until they are refreshed. It knows no page. */

import { ApiError, messageOf } from "./api.js";
import type { Browsed, ChangedPaths, FileApi } from "./file-api.js";
import { BY_NAME, type Folder, type Order, type Row, rowsOf } from "./file-listing.js";
import { above, join, within } from "./file-paths.js";

/** What git says about a path: M, A, D or U (untracked); "•" for a folder with changes. */
export type Mark = "M" | "A" | "D" | "U" | "•";

const LETTERS = { modified: "M", added: "A", deleted: "D", untracked: "U" } as const;
const LOADING: Folder = { state: "loading", entries: [], truncated: false, error: "" };
const REFRESHED = 30; // open folders that a refresh fetches again; others close

export class FileTree {
  /** The folder at the top; empty until it is known. */
  root = "";
  /** The server's root that it is in, and all of them. */
  serverRoot = "";
  roots: readonly string[] = [];
  /** Whether this user may store files. */
  writable = false;
  /** Why the folder that was asked for cannot be shown. */
  error = "";
  loading = false;
  order: Order = BY_NAME;
  filter = "";

  private readonly folders = new Map<string, Folder>();
  private readonly open = new Set<string>();
  private marks: ReadonlyMap<string, Mark> = new Map();
  private kept: { readonly rows: readonly Row[]; readonly order: Order; readonly filter: string } | undefined;
  private turn = 0; // changes with the root: later answers about an earlier one are dropped
  private readonly asked = new Map<string, number>(); // counts a folder's requests: only the last one's answer counts

  /** hidden: whether names that begin with a dot are shown. */
  constructor(
    private readonly files: FileApi,
    private readonly onChange: () => void,
    private hidden = false,
  ) {}

  get rows(): readonly Row[] {
    const { root, folders, open, order, filter, kept } = this;
    if (kept && kept.order === order && kept.filter === filter) return kept.rows;
    const rows = rowsOf({ root, folders, open, order, filter });
    this.kept = { rows, order, filter };
    return rows;
  }

  get showsHidden(): boolean {
    return this.hidden;
  }

  mark(path: string): Mark | undefined {
    return this.marks.get(path);
  }

  /** Show another folder. Returns whether it can be shown; if not, the one before stays. */
  async enter(path: string): Promise<boolean> {
    const turn = ++this.turn;
    const { hidden } = this;
    this.loading = true;
    this.changed();
    try {
      const found = await this.files.browse(path, { hidden });
      if (turn !== this.turn) return false;
      if (hidden !== this.hidden) return await this.enter(path);
      if (!within(found.fullPath, this.root) || this.root === "") this.marks = new Map();
      this.root = found.fullPath;
      this.serverRoot = found.root;
      this.roots = found.roots;
      this.writable = found.writable;
      this.error = "";
      this.filter = "";
      this.ask(found.fullPath); // this answer is newer than those on their way
      this.keep(found);
      void this.fetchMarks(turn);
      return true;
    } catch (error) {
      if (turn === this.turn) this.error = reason(error);
      return false;
    } finally {
      if (turn === this.turn) {
        this.loading = false;
        this.changed();
      }
    }
  }

  /** Open a folder of the tree, or close it. */
  toggle(path: string): void {
    if (this.open.delete(path)) this.changed();
    else void this.expand(path);
  }

  async expand(path: string): Promise<void> {
    if (this.open.has(path)) return;
    this.open.add(path);
    if (this.folders.get(path)?.state !== "ready") await this.fetch(path);
    else this.changed();
  }

  /** Open the folders that lead to a path below the root. */
  async reveal(path: string): Promise<void> {
    if (!within(path, this.root)) return;
    const way: string[] = [];
    for (let folder = above(path); folder !== this.root && within(folder, this.root); folder = above(folder)) {
      way.unshift(folder);
    }
    for (const folder of way) await this.expand(folder);
  }

  /** Fetch what is shown again. */
  async refresh(): Promise<void> {
    if (this.root === "") return;
    const { turn } = this;
    const open = [...this.open].filter((path) => within(path, this.root)).slice(0, REFRESHED);
    this.open.clear();
    for (const path of open) this.open.add(path);
    for (const path of [...this.folders.keys()]) {
      if (path !== this.root && !this.open.has(path)) this.folders.delete(path);
    }
    await Promise.all([this.root, ...open].map((path) => this.fetch(path)));
    if (turn === this.turn) await this.fetchMarks(turn);
  }

  async showHidden(hidden: boolean): Promise<void> {
    this.hidden = hidden;
    await this.refresh();
  }

  private async fetch(path: string): Promise<void> {
    const { hidden } = this;
    const asked = this.ask(path);
    const counts = (): boolean => asked === this.asked.get(path) && hidden === this.hidden;
    const before = this.folders.get(path);
    this.folders.set(path, before ? { ...before, state: "loading" } : LOADING);
    this.changed();
    try {
      const found = await this.files.browse(path, { hidden });
      if (!counts()) return;
      if (path === this.root) this.writable = found.writable;
      this.keep(found, path);
    } catch (error) {
      if (!counts()) return;
      const unreachable = error instanceof ApiError && error.status === 0;
      this.folders.set(path, { ...((unreachable && before) || LOADING), state: "failed", error: reason(error) });
    }
    this.changed();
  }

  private changed(): void {
    this.kept = undefined;
    this.onChange();
  }

  /** Returns the number of a new request for a folder. */
  private ask(path: string): number {
    const asked = (this.asked.get(path) ?? 0) + 1;
    this.asked.set(path, asked);
    return asked;
  }

  private keep(found: Browsed, path: string = found.fullPath): void {
    this.folders.set(path, { state: "ready", entries: found.files, truncated: found.truncated, error: "" });
  }

  /** They come after the listing, which does not wait for git. */
  private async fetchMarks(turn: number): Promise<void> {
    const found = await this.files.browse(this.root, { changes: true }).catch(() => undefined); // only decoration
    if (turn !== this.turn) return;
    this.marks = found?.gitStatus ? marksOf(found.gitStatus, this.root) : new Map();
    this.changed();
  }
}

/** Why a folder is not shown. The server says so of a directory, but any path may be asked for. */
function reason(error: unknown): string {
  return error instanceof ApiError && error.status === 404 ? "File or folder not found" : messageOf(error);
}

/** The mark of each changed path below `root`, and of the folders that lead there. */
export function marksOf(changes: ChangedPaths, root: string): ReadonlyMap<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const [change, letter] of Object.entries(LETTERS)) {
    for (const relative of changes[change as keyof ChangedPaths]) {
      const path = join(root, relative.replace(/\/$/, ""));
      for (let folder = above(path); folder !== root && within(folder, root); folder = above(folder)) {
        if (!marks.has(folder)) marks.set(folder, "•");
      }
      marks.set(path, letter);
    }
  }
  return marks;
}
