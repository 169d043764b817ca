/** The server's REST interface for repositories, typed. Paths of files in a repository are relative to it. */

import type { Api } from "./api.js";

export type ChangeKind = "modified" | "added" | "deleted" | "renamed" | "untracked" | "conflicted";

/** A file that differs from the last commit. The path of a folder that git does not track ends in "/". */
export interface ChangedFile {
  readonly path: string;
  /** Of a renamed file: its path in the last commit. */
  readonly previousPath?: string;
  /** How the index differs from the last commit. */
  readonly staged?: ChangeKind;
  /** How the file differs from the index. */
  readonly unstaged?: ChangeKind;
  /** Lines; left out if they were not counted, as in a binary file. */
  readonly insertions?: number;
  readonly deletions?: number;
}

export interface Changes {
  readonly isGitRepo: boolean;
  readonly repoPath?: string;
  /** Empty while HEAD is detached. */
  readonly currentBranch?: string;
  readonly isWorktree?: boolean;
  readonly hasUpstream?: boolean;
  readonly aheadCount?: number;
  readonly behindCount?: number;
  /** What `git status` lists, as a badge counts: a folder that git does not track is one. */
  readonly changedCount?: number;
  readonly files: readonly ChangedFile[];
  /** Whether there are more files than are listed. */
  readonly truncated: boolean;
}

export interface DiffHunk {
  readonly oldStart: number;
  readonly newStart: number;
  /** Each begins with " ", "+", "-", or "\" for a remark. */
  readonly lines: readonly string[];
}

/** The changed lines of a file, against the last commit. */
export interface FileDiff {
  readonly hunks: readonly DiffHunk[];
  /** Of the file now. */
  readonly lineCount: number;
  readonly isDeleted: boolean;
  readonly isBinary: boolean;
  readonly isTooBig: boolean;
}

export interface Branch {
  readonly name: string;
  readonly current: boolean;
  readonly remote: boolean;
  /** Folder of the worktree that has it. */
  readonly worktree?: string;
}

export interface Worktree {
  readonly path: string;
  /** "refs/heads/x"; empty while HEAD is detached. */
  readonly branch: string;
  readonly HEAD: string;
  readonly detached: boolean;
  /** Its folder is gone. */
  readonly prunable?: boolean;
  readonly locked?: boolean;
  readonly lockedReason?: string;
  readonly commitsAhead: number;
  readonly filesChanged: number;
  readonly insertions: number;
  readonly deletions: number;
  readonly hasUncommittedChanges: boolean;
}

export interface Worktrees {
  /** The main one is the first. */
  readonly worktrees: readonly Worktree[];
  readonly baseBranch: string;
  readonly followStatus: { readonly enabled: boolean; readonly worktreePath?: string };
}

export interface FollowAnswer {
  readonly enabled: boolean;
  readonly message: string;
  readonly hooksInstalled: boolean;
  readonly hooksInstallResult?: { readonly errors?: readonly string[] };
}

/** What follow mode did, or could not do. */
export interface GitNotice {
  readonly level: string;
  readonly title: string;
  readonly message: string;
}

export interface FoundRepository {
  readonly path: string;
  readonly gitBranch?: string;
}

const CHANGE_MS = 125_000; // a new worktree writes all files of a repository; the server gives it 120 s
const WHOLE = 10_000_000; // lines around a change: more than any file that is compared

export class GitApi {
  constructor(private readonly api: Api) {}

  changes(path: string): Promise<Changes> {
    return this.api.request("GET", `/api/git/changes?${query({ path })}`);
  }

  /** whole: with all unchanged lines. */
  diff(path: string, file: ChangedFile, { whole = false } = {}): Promise<FileDiff> {
    const previousPath = file.previousPath ?? "";
    const context = whole ? { context: `${WHOLE}` } : undefined;
    return this.api.request("GET", `/api/git/diff?${query({ path, file: file.path, previousPath, ...context })}`);
  }

  /** The folder of the repository that a folder is in; undefined: it is in none. */
  async repository(path: string): Promise<string | undefined> {
    const found = await this.api.request<{ repoPath?: string }>("GET", `/api/git/repo-info?${query({ path })}`);
    return found.repoPath;
  }

  /** Local branches, the current one first, then those of remotes. */
  branches(path: string): Promise<Branch[]> {
    return this.api.request("GET", `/api/repositories/branches?${query({ path })}`);
  }

  /** The repositories below the home folder. */
  repositories(): Promise<FoundRepository[]> {
    return this.api.request("GET", "/api/repositories/discover");
  }

  worktrees(repoPath: string): Promise<Worktrees> {
    return this.api.request("GET", `/api/worktrees?${query({ repoPath })}`);
  }

  /** Make a worktree in a new folder. baseBranch: the branch is new and starts there; undefined: it exists. */
  async addWorktree(repoPath: string, branch: string, path: string, baseBranch?: string): Promise<string> {
    const body = { repoPath, branch, path, ...(baseBranch === undefined ? {} : { baseBranch }) };
    const made = await this.change<{ worktreePath: string }>("POST", "/api/worktrees", body);
    return made.worktreePath;
  }

  /** Remove a worktree and its folder, whose path names it and no other. force: with its changes. */
  removeWorktree(repoPath: string, folder: string, force: boolean): Promise<unknown> {
    const path = `/api/worktrees/${encodeURIComponent(folder)}?${query({ repoPath, force: `${force}` })}`;
    return this.change("DELETE", path);
  }

  /** Remove the worktrees whose folders are gone from the list. */
  prune(repoPath: string): Promise<unknown> {
    return this.change("POST", "/api/worktrees/prune", { repoPath });
  }

  /** Check out a branch in one worktree. */
  switch(worktree: string, branch: string): Promise<unknown> {
    return this.change("POST", "/api/git/checkout", { repoPath: worktree, branch });
  }

  /** Let the main worktree follow the one of a branch, or none. */
  follow(repoPath: string, branch: string, enable: boolean): Promise<FollowAnswer> {
    return this.change("POST", "/api/worktrees/follow", { repoPath, branch, enable });
  }

  /** The notices of follow mode that this user has not got yet. */
  async notices(): Promise<readonly GitNotice[]> {
    const found = await this.api.request<{ notifications: readonly GitNotice[] }>("GET", "/api/git/notifications");
    return found.notifications;
  }

  private change<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    return this.api.request<Answer>(method, path, body, { timeout_ms: CHANGE_MS });
  }
}

function query(fields: Readonly<Record<string, string>>): URLSearchParams {
  return new URLSearchParams(fields);
}
