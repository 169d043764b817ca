/** The changed files of a repository: in groups, in order, in words. Pure. */

import type { ChangeKind, ChangedFile } from "./git-api.js";

export interface ChangeGroup {
  readonly name: "conflicts" | "staged" | "changes" | "untracked";
  readonly heading: string;
  readonly files: readonly ChangedFile[];
}

const HEADINGS: Readonly<Record<ChangeGroup["name"], string>> = {
  conflicts: "Conflicts",
  staged: "Staged",
  changes: "Changes",
  untracked: "Untracked",
};
const NAMES = Object.keys(HEADINGS) as ChangeGroup["name"][];

const WORDS: Readonly<Record<ChangeKind, string>> = {
  modified: "Modified",
  added: "Added",
  deleted: "Deleted",
  renamed: "Renamed",
  untracked: "Untracked",
  conflicted: "In conflict",
};

const LETTERS: Readonly<Record<ChangeKind, string>> = {
  modified: "M",
  added: "A",
  deleted: "D",
  renamed: "R",
  untracked: "U",
  conflicted: "!",
};

const PICTURE = /\.(?:png|jpe?g|gif|webp|avif|bmp|ico)$/i;

/** The files in groups, without empty ones. A file that is only partly staged is among the changes. */
export function grouped(files: readonly ChangedFile[]): readonly ChangeGroup[] {
  const groups = new Map<ChangeGroup["name"], ChangedFile[]>(NAMES.map((name) => [name, []]));
  for (const file of files) groups.get(groupOf(file))?.push(file);
  return [...groups]
    .filter(([, members]) => members.length > 0)
    .map(([name, members]) => ({ name, heading: HEADINGS[name], files: members }));
}

function groupOf({ unstaged }: ChangedFile): ChangeGroup["name"] {
  if (unstaged === undefined) return "staged";
  if (unstaged === "conflicted") return "conflicts";
  return unstaged === "untracked" ? "untracked" : "changes";
}

/** What has happened to a file since the last commit. */
export function kindOf({ staged, unstaged }: ChangedFile): ChangeKind {
  if (unstaged === "deleted" || unstaged === "conflicted") return unstaged;
  return staged ?? unstaged ?? "modified"; // what is added and then modified is still new
}

export function isPartlyStaged({ staged, unstaged }: ChangedFile): boolean {
  return staged !== undefined && unstaged !== undefined;
}

export function letterOf(file: ChangedFile): string {
  return LETTERS[kindOf(file)];
}

/** A file's change in words: "Renamed from a.txt, 3 lines added, 1 line removed, partly staged". */
export function describe(file: ChangedFile): string {
  const { insertions, deletions } = file;
  const kind = WORDS[kindOf(file)];
  const words = [file.previousPath === undefined ? kind : `${kind} from ${file.previousPath}`];
  if (insertions) words.push(`${lines(insertions)} added`);
  if (deletions) words.push(`${lines(deletions)} removed`);
  if (isPartlyStaged(file)) words.push("partly staged");
  return words.join(", ");
}

/** "1 line", "12,345 lines". */
export function lines(count: number): string {
  return count === 1 ? "1 line" : `${count.toLocaleString("en")} lines`;
}

/** "1 file", "3 files". */
export function changeCount(count: number): string {
  return count === 1 ? "1 change" : `${count.toLocaleString("en")} changes`;
}

/** All lines that were added and removed, as far as they were counted. */
export function totals(files: readonly ChangedFile[]): { readonly insertions: number; readonly deletions: number } {
  let insertions = 0;
  let deletions = 0;
  for (const file of files) {
    insertions += file.insertions ?? 0;
    deletions += file.deletions ?? 0;
  }
  return { insertions, deletions };
}

/** A path's last name, and what is before it, with the slash. */
export function split(path: string): { readonly folder: string; readonly name: string } {
  const end = path.replace(/\/+$/, "").lastIndexOf("/") + 1;
  return { folder: path.slice(0, end), name: path.slice(end) };
}

/** The file `step` places after the current one, in the order of the groups; the first or last one at the ends. */
export function neighbour(
  groups: readonly ChangeGroup[],
  current: string | undefined,
  step: 1 | -1,
): ChangedFile | undefined {
  const all = groups.flatMap((each) => each.files);
  const at = all.findIndex((each) => each.path === current);
  if (at < 0) return step === 1 ? all[0] : all.at(-1);
  return all[Math.min(Math.max(at + step, 0), all.length - 1)];
}

/** Whether a browser can show the file as a picture. */
export function isPicture(path: string): boolean {
  return PICTURE.test(path);
}
