/** A session's repository in a few characters: branch, worktree, changed files, and how far it is from upstream. */

import { type TemplateResult, html, nothing } from "lit";

import type { Session } from "../api.js";
import { href } from "../base.js";
import { readable } from "../file-paths.js";
import { repositoryText } from "../repository.js";
import { changesPath } from "../router.js";
import { branch, worktree } from "./icons.js";
import "../styles/git-badge.css";

interface BadgeOptions {
  /** Whether this user may see the changes, to which the badge then leads. */
  readonly links: boolean;
  /** Whether they lead back to the session. */
  readonly back?: boolean;
  /** Handles a click. */
  readonly opens?: (event: MouseEvent) => void;
}

export function gitBadge(session: Session, { links, back = false, opens }: BadgeOptions): TemplateResult | typeof nothing {
  const { gitRepoPath, gitBranch, gitIsWorktree, gitChangedCount = 0 } = session;
  if (gitRepoPath === undefined) return nothing;
  const words = repositoryText(session);
  const inside = html`${gitIsWorktree ? worktree : branch}
    <bdi class="branch">${readable(gitBranch ?? "detached")}</bdi>
    ${
      gitChangedCount > 0
        ? html`<span class="changed" data-testid="git-changed">${gitChangedCount > 999 ? "999+" : gitChangedCount}</span>`
        : nothing
    }
    ${distance(session)}`;
  return links
    ? html`<a
        class="git-badge"
        href=${href(changesPath(gitRepoPath, back ? session.id : undefined))}
        aria-label="Changes: ${words}"
        title=${words}
        data-testid="git-badge"
        @click=${opens}
        >${inside}</a
      >`
    : html`<span class="git-badge" title=${words} data-testid="git-badge">${inside}</span>`;
}

function distance({ gitAheadCount = 0, gitBehindCount = 0 }: Session): TemplateResult | typeof nothing {
  if (gitAheadCount === 0 && gitBehindCount === 0) return nothing;
  return html`<span class="distance"
    >${gitAheadCount > 0 ? `↑${gitAheadCount}` : ""}${gitBehindCount > 0 ? `↓${gitBehindCount}` : ""}</span
  >`;
}
