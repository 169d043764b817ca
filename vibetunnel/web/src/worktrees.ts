/** Worktrees and folders: their names, and what is said about them. Pure. */

import type { PathCompletion } from "./file-api.js";
import { baseName, join, withoutSlash } from "./file-paths.js";
import { counted } from "./format.js";
import type { Branch, ChangedFile, FoundRepository, Worktree } from "./git-api.js";

const HEADS = "refs/heads/";
const BAD_NAME = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|\.lock(?:\/|$)|(?:^|\/)\.|^@$/;
const RECENT = 5; // folders
const FOUND = 8; // repositories
const COMPLETED = 8; // ways to go on with a path
const NAMED = 6; // files in a warning

/** The branch of a worktree; empty while HEAD is detached. */
export function branchOf({ branch }: Worktree): string {
  return branch.startsWith(HEADS) ? branch.slice(HEADS.length) : branch;
}

/** What a worktree is called: its branch, or its commit. */
export function worktreeName(worktree: Worktree): string {
  return branchOf(worktree) || `detached at ${worktree.HEAD.slice(0, 8)}`;
}

/** What a worktree has that the base branch does not: "2 commits, 3 files, +10 −2". Empty if nothing. */
export function worktreeStats({ commitsAhead, filesChanged, insertions, deletions }: Worktree): string {
  if (commitsAhead === 0) return "";
  return `${counted(commitsAhead, "commit")}, ${counted(filesChanged, "file")}, +${insertions} −${deletions}`;
}

/** A folder beside the main worktree for the worktree of a branch. */
export function suggestedFolder(main: string, branch: string): string {
  const slug = branch.trim().replace(/[^\p{L}\p{N}._]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "");
  return slug === "" ? "" : `${withoutSlash(main)}-${slug}`;
}

/** Why git would refuse a branch's name; empty if it takes it (git-check-ref-format). */
export function branchProblem(name: string, branches: readonly Branch[]): string {
  if (name === "") return "Enter a name for the new branch.";
  if (branches.some((each) => !each.remote && each.name === name)) return `The branch ${name} is already there.`;
  return BAD_NAME.test(name) ? "A branch's name has no blanks, none of ~ ^ : ? * [ \\ and no two dots in a row." : "";
}

/** The branches for which a worktree can be made: without those that have one, and without remote ones of local ones. */
export function freeBranches(branches: readonly Branch[]): readonly string[] {
  const local = branches.filter((each) => !each.remote);
  const names = new Set(local.map((each) => each.name));
  const remote = branches
    .filter((each) => each.remote && each.name.startsWith("origin/"))
    .map((each) => each.name.slice("origin/".length))
    .filter((name) => !names.has(name));
  return [...local.filter((each) => each.worktree === undefined && !each.current).map((each) => each.name), ...remote];
}

/** What is lost with a worktree: "a.txt, b.txt and 3 more". */
export function namesOf(files: readonly ChangedFile[], truncated: boolean): string {
  const named = files.slice(0, NAMED).map((each) => each.path);
  const more = files.length - named.length;
  if (truncated) return `${named.join(", ")} and many more`;
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}

/** A folder that a user may want. */
export interface FolderChoice {
  readonly kind: "recent" | "repository" | "completion";
  readonly path: string;
  readonly branch: string | undefined;
}

/** The folders that fit what was typed: recent ones, repositories, and ways to go on with the path. */
export function folderChoices(
  typed: string,
  recent: readonly string[],
  repositories: readonly FoundRepository[],
  completions: readonly PathCompletion[],
  home: string | undefined,
): readonly FolderChoice[] {
  const wanted = typed.trim().toLowerCase();
  const fits = (path: string): boolean => wanted === "" || baseName(path).toLowerCase().includes(wanted);
  const found: FolderChoice[] = [];
  const known = new Set<string>();
  const add = (kind: FolderChoice["kind"], path: string, branch: string | undefined): void => {
    const whole = absolute(path, home);
    if (known.has(whole)) return;
    known.add(whole);
    found.push({ kind, path, branch });
  };
  const branches = new Map(repositories.map(({ path, gitBranch }) => [path, gitBranch]));
  for (const each of completions.filter(({ type }) => type === "directory").slice(0, COMPLETED)) {
    add("completion", each.suggestion, each.gitBranch);
  }
  for (const each of recent.filter(fits).slice(0, RECENT)) add("recent", each, branches.get(each));
  for (const each of repositories.filter(({ path }) => fits(path)).slice(0, FOUND)) {
    add("repository", each.path, each.gitBranch);
  }
  return found;
}

/** The path from the root, without a slash at its end. Relative ones and `~` start in the home folder. */
function absolute(path: string, home = "~"): string {
  const plain = withoutSlash(path);
  if (plain === "~" || plain.startsWith("~/")) return home + plain.slice(1);
  return plain.startsWith("/") ? plain : join(home, plain);
}
