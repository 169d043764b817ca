/** A repository at a glance, in words. Pure. */

import type { Session } from "./api.js";
import { readable } from "./file-paths.js";
import { counted } from "./format.js";

/** The repository of a session's folder in words: "main, 3 changed files, 1 commit ahead". */
export function repositoryText(session: Session): string {
  const { gitBranch, gitIsWorktree, gitChangedCount = 0, gitAheadCount = 0, gitBehindCount = 0 } = session;
  const words = [readable(gitBranch ?? "no branch")];
  if (gitIsWorktree) words.push("a linked worktree");
  words.push(gitChangedCount === 0 ? "no changes" : counted(gitChangedCount, "changed file"));
  words.push(...distance(gitAheadCount, gitBehindCount));
  return words.join(", ");
}

/** How far a branch is from its upstream branch. */
export function distance(ahead: number, behind: number): string[] {
  const words: string[] = [];
  if (ahead > 0) words.push(`${counted(ahead, "commit")} ahead`);
  if (behind > 0) words.push(`${counted(behind, "commit")} behind`);
  return words;
}
