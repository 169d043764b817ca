/** Folders as rows: sorted, filtered, and put below each other as a tree. Pure. */

import type { FileEntry } from "./file-api.js";
import { age } from "./format.js";
import { join } from "./file-paths.js";

export type SortKey = "name" | "size" | "modified";

export interface Order {
  readonly key: SortKey;
  readonly descending: boolean;
}

export const BY_NAME: Order = { key: "name", descending: false };

/** A folder that has been opened. */
export interface Folder {
  readonly state: "loading" | "ready" | "failed";
  readonly entries: readonly FileEntry[];
  /** There are more entries than these. */
  readonly truncated: boolean;
  /** Why it could not be listed. */
  readonly error: string;
}

/** A line of the tree: an entry, or a remark in the place of a folder's content. */
export interface Row {
  readonly path: string;
  /** 1 for what is directly in the root. */
  readonly level: number;
  /** undefined: a remark. */
  readonly entry: FileEntry | undefined;
  readonly open: boolean;
  /** Position in its folder, from 1, and how many are there. */
  readonly position: number;
  readonly count: number;
  readonly remark: string;
}

export interface View {
  readonly root: string;
  readonly folders: ReadonlyMap<string, Folder>;
  readonly open: ReadonlySet<string>;
  readonly order: Order;
  /** Only names that have this text, and the folders that lead to them. */
  readonly filter: string;
}

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

interface Sorted {
  readonly order: Order;
  readonly entries: readonly FileEntry[];
}

const lastSorted = new WeakMap<readonly FileEntry[], Sorted>(); // a list is drawn again at each step of scrolling

/** The entries in order: folders first, equal ones by name. */
export function sorted(entries: readonly FileEntry[], order: Order): readonly FileEntry[] {
  const last = lastSorted.get(entries);
  if (last?.order === order) return last.entries;
  const now: Sorted = { order, entries: sort(entries, order) };
  lastSorted.set(entries, now);
  return now.entries;
}

function sort(entries: readonly FileEntry[], { key, descending }: Order): readonly FileEntry[] {
  const sign = descending ? -1 : 1;
  const compare = (a: FileEntry, b: FileEntry): number => {
    if (key === "size" && a.size !== b.size) return a.size - b.size;
    if (key === "modified" && a.modified !== b.modified) return a.modified < b.modified ? -1 : 1;
    return 0;
  };
  return [...entries].sort((a, b) => {
    const folders = Number(b.type === "directory") - Number(a.type === "directory");
    if (folders !== 0) return folders;
    // Folders have no size that says anything.
    const wanted = key === "size" && a.type === "directory" ? 0 : compare(a, b);
    const byName = names.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);
    return wanted !== 0 ? sign * wanted : key === "name" ? sign * byName : byName;
  });
}

/** The next order after a click on a column: sizes and times begin with the largest. */
export function reordered(order: Order, key: SortKey): Order {
  if (order.key === key) return { key, descending: !order.descending };
  return { key, descending: key !== "name" };
}

/** All rows of the tree, from the top. */
export function rowsOf(view: View): readonly Row[] {
  const rows: Row[] = [];
  const wanted = view.filter.toLowerCase();
  append(view, view.root, 1, wanted, rows);
  return rows;
}

/** Append what is in a folder. Returns whether anything in it was wanted. */
function append(view: View, path: string, level: number, wanted: string, rows: Row[]): boolean {
  const folder = view.folders.get(path);
  if (!folder) return false;
  const shown = sorted(folder.entries, view.order);
  let found = false;
  if (folder.state === "failed") rows.push(remarkRow(path, level, folder.error)); // above what was there before
  shown.forEach((entry, index) => {
    const at = join(path, entry.name);
    const open = entry.type === "directory" && view.open.has(at);
    const before = rows.length;
    rows.push({ path: at, level, entry, open, position: index + 1, count: shown.length, remark: "" });
    const inside = open && append(view, at, level + 1, wanted, rows);
    if (wanted === "" || inside || entry.name.toLowerCase().includes(wanted)) found = true;
    else rows.length = before;
  });
  const remark = remarkOn(folder, wanted, found);
  if (remark !== "" && (wanted === "" || level === 1)) rows.push(remarkRow(path, level, remark));
  return found;
}

function remarkOn(folder: Folder, wanted: string, found: boolean): string {
  const count = folder.entries.length.toLocaleString("en");
  if (folder.state === "failed") return "";
  if (folder.state === "loading") return folder.entries.length === 0 ? "Loading…" : "";
  if (folder.entries.length === 0) return "Empty";
  if (wanted === "") return folder.truncated ? `Only the first ${count} are shown` : "";
  if (folder.truncated) return found ? `Only the first ${count} were searched` : `None of the first ${count} matches`;
  return found ? "" : "No name matches";
}

function remarkRow(path: string, level: number, remark: string): Row {
  return { path, level, entry: undefined, open: false, position: 0, count: 0, remark };
}

/** The rows to draw, [begin, end), for a list scrolled to `top`: those in view, and some more. */
export function inView(count: number, rowHeight: number, top: number, height: number): readonly [number, number] {
  const more = 12;
  const begin = Math.max(0, Math.floor(top / rowHeight) - more);
  return [Math.min(begin, count), Math.min(count, Math.ceil((top + height) / rowHeight) + more)];
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** "812 B", "1.4 KiB", "32 MiB". */
export function fileSize(size: number): string {
  let unit = 0;
  let amount = size;
  while (unit < UNITS.length - 1 && (amount >= 1024 || (unit > 0 && Math.round(amount) >= 1024))) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && amount < 9.95 ? 1 : 0;
  return `${amount.toFixed(digits)} ${UNITS[unit]}`;
}

const DAY_MS = 86_400_000;

/** When a file was changed: "now", "4 min", "3 d", and after a week the day, "12 Mar" or "12 Mar 2024". */
export function changed(iso: string, now_ms: number): string {
  const then = new Date(iso);
  if (now_ms - then.getTime() < 7 * DAY_MS) return age(iso, now_ms);
  const sameYear = then.getFullYear() === new Date(now_ms).getFullYear();
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) });
}
