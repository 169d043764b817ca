/** What the server has told about follow mode. It tells each notice once, so the page keeps them. */

import type { GitApi, GitNotice } from "./git-api.js";

const KEPT = 100; // as many as the server keeps

export class FollowNotices {
  private notices: readonly GitNotice[] = [];

  /** Fetch the new ones. Without an answer the old ones stay. */
  async look(git: GitApi): Promise<void> {
    const found = await git.notices().catch(() => []);
    this.notices = [...this.notices, ...found].slice(-KEPT);
  }

  /** Why a main worktree does not show what it follows; empty: it does, or nothing is known. */
  problem(main: string): string {
    const last = this.notices.findLast((each) => isAbout(each, main));
    return last?.level === "error" ? `${last.title}: ${last.message}` : "";
  }

  dismiss(main: string): void {
    this.notices = this.notices.filter((each) => !isAbout(each, main));
  }
}

export const followNotices = new FollowNotices();

/** A notice's message begins with the folder of the main worktree. */
function isAbout({ message }: GitNotice, main: string): boolean {
  return message.startsWith(`${main} `);
}
