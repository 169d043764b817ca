/** The changes of a repository since its last commit: the list of files, and the diff of one of them. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { Api, messageOf } from "../api.js";
import {
  type ChangeGroup,
  describe,
  grouped,
  isPartlyStaged,
  kindOf,
  letterOf,
  neighbour,
  split,
  totals,
} from "../changes.js";
import { EventFeed, type ServerEvent } from "../events.js";
import { readable } from "../file-paths.js";
import { followNotices } from "../follow-notices.js";
import { counted } from "../format.js";
import { type ChangedFile, type Changes, GitApi } from "../git-api.js";
import { distance } from "../repository.js";
import "./diff-view.js";
import { refresh } from "./file-icons.js";
import type { Place } from "./files-panel.js";
import { branch, worktree } from "./icons.js";
import { PlainElement } from "./plain-element.js";
import "../styles/changes.css";
import "./worktrees-dialog.js";

const SETTLE_MS = 400; // after an event: a command that changes many files causes several

/** Dispatches `open-file` (detail: Place, with an absolute path). */
@customElement("vt-changes")
export class ChangesPanel extends PlainElement {
  @property({ attribute: false }) api = new Api();
  /** A folder in the repository. */
  @property({ attribute: false }) path = "";

  @state() private changes: Changes | undefined;
  @state() private groups: readonly ChangeGroup[] = [];
  @state() private selected: ChangedFile | undefined;
  @state() private turn = 0; // counts the answers, so that the diff is fetched again
  @state() private busy = false;
  @state() private error = "";
  @state() private worktreesOpen = false;

  private feed: EventFeed | undefined;
  private leaving = new AbortController();
  private asked = 0; // counts the requests: only the last one's answer is shown
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly repositories = new Map<string, string | undefined>(); // session -> its repository

  override connectedCallback(): void {
    super.connectedCallback();
    this.tabIndex = -1; // for focus(), after which its keys work
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    document.addEventListener("visibilitychange", () => this.returned(), { signal });
    window.addEventListener("online", () => this.returned(), { signal });
    this.addEventListener("keydown", (event) => this.pressed(event), { signal });
    let opened = false;
    this.feed = new EventFeed({
      onOpen: () => {
        if (opened) this.soon(); // events in between are lost
        opened = true;
      },
      onEvent: (event) => this.happened(event),
      onLost: () => undefined,
    });
    this.feed.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    this.feed?.stop();
    clearTimeout(this.timer);
    this.asked += 1; // an answer on its way is for nobody
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("path")) return;
    const repository = this.changes?.repoPath;
    if (repository === undefined || !`${this.path}/`.startsWith(`${repository}/`)) {
      this.changes = undefined; // of another repository
      this.selected = undefined;
    }
    void this.reload();
  }

  protected override render(): TemplateResult {
    return html`<section class="changes ${this.selected ? "with-diff" : ""}" aria-label="Changes" data-testid="changes">
      ${this.header()}
      <div class="error" role="alert">
        ${
          this.error === ""
            ? nothing
            : html`<p class="problem">
                <span data-testid="error">${this.error}</span>
                <button class="text-button" @click=${() => this.reload()}>Try again</button>
              </p>`
        }
      </div>
      ${this.followProblem()} ${this.body()}
      ${
        this.worktreesOpen
          ? html`<vt-worktrees-dialog
              .api=${this.api}
              .path=${this.changes?.repoPath ?? this.path}
              @closed=${() => (this.worktreesOpen = false)}
              @changed=${() => this.reload()}
            ></vt-worktrees-dialog>`
          : nothing
      }
    </section>`;
  }

  /** Fetch the changes. What is shown stays until they are here. */
  async reload(): Promise<void> {
    if (this.path === "") return;
    const asked = ++this.asked;
    this.busy = true;
    try {
      const git = new GitApi(this.api);
      const [found] = await Promise.all([git.changes(this.path), followNotices.look(git)]);
      if (asked !== this.asked) return;
      this.changes = found;
      this.groups = grouped(found.files);
      this.selected = found.files.find((each) => each.path === this.selected?.path) ?? this.firstIfWide();
      this.turn += 1;
      this.error = "";
    } catch (error) {
      if (asked === this.asked) this.error = messageOf(error);
    } finally {
      if (asked === this.asked) this.busy = false;
    }
  }

  private header(): TemplateResult {
    const { changes } = this;
    const { insertions, deletions } = totals(changes?.files ?? []);
    const place = distance(changes?.aheadCount ?? 0, changes?.behindCount ?? 0).join(", ");
    return html`<header class="changes-bar">
      ${
        changes?.isGitRepo
          ? html`<button
              class="button git-branch"
              title="${changes.isWorktree ? "A linked worktree" : "The main worktree"}. Show all worktrees"
              data-testid="worktrees-open"
              @click=${() => (this.worktreesOpen = true)}
            >
              ${changes.isWorktree ? worktree : branch}<bdi>${readable(changes.currentBranch || "detached")}</bdi
              ><span class="quiet">Worktrees</span>
            </button>`
          : nothing
      }
      <p class="quiet" role="status" data-testid="changes-summary">
        ${
          changes?.isGitRepo && changes.files.length > 0
            ? html`${counted(changes.changedCount ?? changes.files.length, "change")}
                <span class="plus">+${insertions}</span> <span class="minus">−${deletions}</span>`
            : nothing
        }
        ${place === "" ? nothing : html`<span class="distance">${place}</span>`}
      </p>
      <button
        class="quiet-button ${this.busy ? "turning" : ""}"
        aria-label="Refresh"
        title="Refresh (r)"
        data-testid="changes-refresh"
        @click=${() => this.reload()}
      >
        ${refresh}
      </button>
    </header>`;
  }

  /** Why this main worktree does not show the one that it follows. */
  private followProblem(): TemplateResult | typeof nothing {
    const main = this.changes?.repoPath ?? "";
    const problem = followNotices.problem(main);
    if (problem === "") return nothing;
    const dismiss = (): void => {
      followNotices.dismiss(main);
      this.requestUpdate();
    };
    return html`<p class="problem" role="status" data-testid="follow-problem">
      <span>${problem}</span><button class="text-button" @click=${dismiss}>Dismiss</button>
    </p>`;
  }

  private body(): TemplateResult | typeof nothing {
    const { changes, selected } = this;
    if (!changes) return this.error === "" ? html`<div class="changes-body loading"></div>` : nothing;
    if (!changes.isGitRepo) {
      return empty("Not a git repository", "This folder is in no git repository, so there are no changes to show.");
    }
    if (changes.files.length === 0) {
      const where = changes.currentBranch ? ` on ${readable(changes.currentBranch)}` : "";
      return empty("No changes", `Everything is committed${where}.`);
    }
    return html`<div class="changes-body">
      <nav class="changed-files" aria-label="Changed files">
        ${this.groups.map((each) => this.group(each))}
        ${changes.truncated ? html`<p class="quiet more">There are more files than are listed here.</p>` : nothing}
      </nav>
      ${
        selected
          ? html`<vt-diff
              tabindex="-1"
              .api=${this.api}
              .repository=${changes.repoPath ?? ""}
              .file=${selected}
              .turn=${this.turn}
              .opens=${kindOf(selected) !== "deleted"}
              @open-line=${(event: CustomEvent<number | undefined>) => this.openFile(selected, event.detail)}
              @leave=${() => this.leave()}
              @step=${(event: CustomEvent<1 | -1>) => this.step(event.detail)}
            ></vt-diff>`
          : html`<div class="diff-none quiet"><p>Choose a file to see what has changed in it.</p></div>`
      }
    </div>`;
  }

  private group({ name, heading, files }: ChangeGroup): TemplateResult {
    return html`<section data-testid="changes-${name}">
      <h3>${heading}<span class="count">${files.length}</span></h3>
      <ul>
        ${repeat(
          files,
          (file) => file.path,
          (file) => html`<li>${this.row(file)}</li>`,
        )}
      </ul>
    </section>`;
  }

  private row(file: ChangedFile): TemplateResult {
    const { folder, name } = split(file.path);
    const kind = kindOf(file);
    const words = `${readable(file.path)}: ${describe(file)}`;
    return html`<button
      class="changed-file ${kind}"
      title=${words}
      aria-label=${words}
      aria-current=${file.path === this.selected?.path ? "true" : nothing}
      data-path=${file.path}
      data-testid="changed-file"
      @click=${() => this.select(file)}
    >
      <span class="letter" aria-hidden="true">${letterOf(file)}</span>
      <span class="where"
        ><bdi class="name">${readable(name)}</bdi>${folder === "" ? nothing : html`<span class="folder"><bdi>${readable(folder)}</bdi></span>`}</span
      >
      ${isPartlyStaged(file) ? html`<span class="partly" title="Only a part of it is staged">partly staged</span>` : nothing}
      <span class="numbers">
        ${file.insertions ? html`<span class="plus">+${file.insertions}</span>` : nothing}
        ${file.deletions ? html`<span class="minus">−${file.deletions}</span>` : nothing}
      </span>
    </button>`;
  }

  /** Beside the list there is room for a diff, so the first file's is shown. Elsewhere it would hide the list. */
  private firstIfWide(): ChangedFile | undefined {
    const wide = this.clientWidth >= WIDE;
    return wide ? this.groups[0]?.files[0] : undefined;
  }

  private async select(file: ChangedFile): Promise<void> {
    this.selected = file;
    await this.updateComplete;
    if (this.clientWidth < WIDE) this.querySelector<HTMLElement>("vt-diff")?.focus(); // the list, which had it, is hidden
  }

  private async step(step: 1 | -1): Promise<void> {
    const next = neighbour(this.groups, this.selected?.path ?? this.focused, step);
    if (!next) return;
    if (this.selected || this.clientWidth >= WIDE) await this.select(next);
    this.rowOf(next.path)?.focus(); // which scrolls to it; without effect while the list is hidden
  }

  /** The file in the list that has the focus. */
  private get focused(): string | undefined {
    const { activeElement } = document;
    return activeElement instanceof HTMLElement && this.contains(activeElement) ? activeElement.dataset.path : undefined;
  }

  private rowOf(path: string | undefined): HTMLElement | undefined {
    return [...this.querySelectorAll<HTMLElement>(".changed-file")].find((each) => each.dataset.path === path);
  }

  /** Go from the diff back to the list, where the two do not fit beside each other. */
  private async leave(): Promise<void> {
    const path = this.selected?.path;
    this.selected = undefined;
    await this.updateComplete;
    this.rowOf(path)?.focus();
  }

  private openFile(file: ChangedFile, line: number | undefined): void {
    const path = `${this.changes?.repoPath ?? this.path}/${file.path}`;
    const detail: Place = line === undefined ? { path } : { path, line };
    this.dispatchEvent(new CustomEvent("open-file", { detail, bubbles: true }));
  }

  private pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || this.worktreesOpen) return;
    const inList = event.target instanceof HTMLElement && event.target.matches(".changed-file");
    const steps: Readonly<Record<string, 1 | -1>> = inList
      ? { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 }
      : { j: 1, k: -1 };
    const step = steps[event.key];
    if (step !== undefined) void this.step(step);
    else if (event.key === "r") void this.reload();
    else if (event.key === "Escape" && this.selected && this.clientWidth < WIDE) void this.leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** What happens while the page is hidden is not told. */
  private returned(): void {
    if (document.visibilityState === "visible") this.soon();
  }

  /** A session's repository has changed, or a command has ended, which may have changed files. */
  private happened(event: ServerEvent): void {
    const { session, sessionId } = event;
    if (session) this.repositories.set(session.id, session.gitRepoPath);
    if (event.type !== "git-status-update" && event.type !== "command") return;
    const known = sessionId !== undefined && this.repositories.has(sessionId);
    if (known && this.repositories.get(sessionId) !== this.changes?.repoPath) return; // of another repository
    this.soon();
  }

  private soon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.reload(), SETTLE_MS);
  }
}

const WIDE = 720; // CSS pixels: the list and a diff fit beside each other, as in styles/changes.css

function empty(heading: string, text: string): TemplateResult {
  return html`<div class="changes-empty" data-testid="changes-empty">
    <h2>${heading}</h2>
    <p class="quiet">${text}</p>
  </div>`;
}
