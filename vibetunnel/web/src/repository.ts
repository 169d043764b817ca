/** A repository at a glance, in words. Pure. */

import type { Session } from "./api.js";
import { readable } from "./file-paths.js";

/** The repository of a session's folder in words: "main, 3 changed files, 1 commit ahead". */
export function repositoryText(session: Session): string {
  const { gitBranch, gitIsWorktree, gitChangedCount = 0, gitAheadCount = 0, gitBehindCount = 0 } = session;
  const words = [readable(gitBranch ?? "no branch")];
  if (gitIsWorktree) words.push("a linked worktree");
  words.push(gitChangedCount === 0 ? "no changes" : gitChangedCount === 1 ? "1 changed file" : `${gitChangedCount} changed files`);
  words.push(...distance(gitAheadCount, gitBehindCount));
  return words.join(", ");
}

/** How far a branch is from its upstream branch. */
export function distance(ahead: number, behind: number): string[] {
  const words: string[] = [];
  if (ahead > 0) words.push(`${commits(ahead)} ahead`);
  if (behind > 0) words.push(`${commits(behind)} behind`);
  return words;
}

function commits(count: number): string {
  return count === 1 ? "1 commit" : `${count} commits`;
}
