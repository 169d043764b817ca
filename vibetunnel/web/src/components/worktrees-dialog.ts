/** The worktrees of a repository: start a session in one, switch its branch, follow it, remove it, make a new one. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { type Api, messageOf } from "../api.js";
import { readable } from "../file-paths.js";
import { followNotices } from "../follow-notices.js";
import { type Branch, GitApi, type Worktree, type Worktrees } from "../git-api.js";
import { changesPath, sessionPath } from "../router.js";
import { may } from "../users.js";
import { branchOf, freeBranches, namesOf, worktreeName, worktreeStats } from "../worktrees.js";
import { branch, worktree as linkedIcon } from "./icons.js";
import { Modal } from "./modal.js";
import { go } from "./navigation.js";
import type { NewWorktree } from "./new-worktree.js";
import "./new-worktree.js";
import "../styles/worktrees.css";

/** What the user is asked about a worktree, by its path. */
type Asking =
  | { readonly what: "switch" | "follow"; readonly path: string }
  | { readonly what: "remove"; readonly path: string; readonly lost: string | undefined }
  | { readonly what: "new" };

/** Dispatches `changed` if a worktree was switched, made or removed. */
@customElement("vt-worktrees-dialog")
export class WorktreesDialog extends Modal {
  @property({ attribute: false }) api!: Api;
  /** A folder in the repository. */
  @property({ attribute: false }) path = "";

  @state() private controls = false; // this user may change worktrees
  @state() private found: Worktrees | undefined;
  @state() private branches: readonly Branch[] = [];
  @state() private asking: Asking | undefined;
  @state() private busy = false;
  @state() private error = "";
  @state() private news = "";
  private questions = 0; // asked so far
  @query("vt-new-worktree") private fields!: NewWorktree | null;
  @query("#switch-branch") private switchField!: HTMLSelectElement | null;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.load();
    this.api.user().then(
      (user) => (this.controls = may(user, "files") && may(user, "control")),
      () => undefined, // then nothing can be changed here
    );
  }

  protected override render(): TemplateResult {
    const { found } = this;
    const missing = found?.worktrees.some((each) => each.prunable) ?? false;
    return html`<dialog class="modal worktrees" aria-labelledby="worktrees-title">
      <h2 id="worktrees-title">Worktrees</h2>
      <p class="quiet">Each has a folder and a branch of its own, and all share one repository.</p>
      <p class="error" role="alert">
        ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
      </p>
      <p class="quiet news" role="status">${this.news}</p>
      <ul class="worktree-list">
        ${repeat(
          found?.worktrees ?? [],
          (each) => each.path,
          (each, at) => html`<li>${this.row(each, at === 0)}</li>`,
        )}
      </ul>
      ${this.asking?.what === "new" ? html`<div>${this.newForm()}</div>` : nothing}
      <footer>
        ${
          this.controls && missing
            ? html`<button class="button" data-testid="worktrees-prune" ?disabled=${this.busy} @click=${this.prune}>
                Remove missing worktrees from the list
              </button>`
            : nothing
        }
        ${
          this.controls && this.asking?.what !== "new"
            ? html`<button class="button" data-testid="worktree-new" @click=${() => this.ask({ what: "new" })}>
                New worktree
              </button>`
            : nothing
        }
        <button class="button" data-testid="worktrees-done" @click=${this.close}>Done</button>
      </footer>
    </dialog>`;
  }

  private row(each: Worktree, main: boolean): TemplateResult {
    const followed = this.found?.followStatus.enabled && this.found.followStatus.worktreePath === each.path;
    const stats = worktreeStats(each);
    const { asking } = this;
    const asked = asking && "path" in asking && asking.path === each.path ? asking : undefined;
    return html`<div class="worktree" data-testid="worktree" data-path=${each.path}>
      <div class="what">
        ${main ? branch : linkedIcon}
        <div>
          <p>
            <strong><bdi>${readable(worktreeName(each))}</bdi></strong>
            ${main ? html`<span class="chip">main worktree</span>` : nothing}
            ${followed ? html`<span class="chip good">followed</span>` : nothing}
            ${each.hasUncommittedChanges ? html`<span class="chip wait" data-testid="worktree-changed">changes</span>` : nothing}
            ${each.locked ? html`<span class="chip" title=${each.lockedReason ?? "Locked"}>locked</span>` : nothing}
            ${each.prunable ? html`<span class="chip bad">folder is missing</span>` : nothing}
          </p>
          <p class="quiet mono path" title=${readable(each.path)}><bdi>${readable(each.path)}</bdi></p>
          ${stats === "" ? nothing : html`<p class="quiet">Ahead of ${this.found?.baseBranch}: ${stats}</p>`}
          ${followed ? this.followProblem() : nothing}
        </div>
      </div>
      ${asked ? this.question(each, asked) : this.actions(each, main, followed === true)}
    </div>`;
  }

  private question(each: Worktree, asked: Exclude<Asking, { what: "new" }>): TemplateResult {
    switch (asked.what) {
      case "switch":
        return this.switchForm(each);
      case "follow":
        return this.followForm(each);
      case "remove":
        return this.removeForm(each, asked.lost);
    }
  }

  private followProblem(): TemplateResult | typeof nothing {
    const problem = followNotices.problem(this.place);
    if (problem === "") return nothing;
    return html`<p class="follow-problem" role="status" data-testid="follow-problem">
      ${problem}
      <button class="text-button" data-testid="follow-dismiss" @click=${this.dismissProblem}>Dismiss</button>
    </p>`;
  }

  private dismissProblem(): void {
    followNotices.dismiss(this.place);
    this.requestUpdate();
  }

  private actions(each: Worktree, main: boolean, followed: boolean): TemplateResult | typeof nothing {
    if (each.prunable) return nothing;
    const named = worktreeName(each);
    const button = (words: string, id: string, act: () => void, tone = ""): TemplateResult => html`<button
      class="text-button ${tone}"
      aria-label="${words}: ${named}"
      data-testid=${id}
      ?disabled=${this.busy}
      @click=${act}
    >
      ${words}
    </button>`;
    return html`<div class="actions">
      ${each.hasUncommittedChanges ? button("Show changes", "worktree-changes", () => this.show(each)) : nothing}
      ${
        this.controls
          ? html`${button("New session", "worktree-session", () => void this.start(each))}
            ${button("Switch branch", "worktree-switch", () => this.ask({ what: "switch", path: each.path }))}
            ${
              main || each.detached
                ? nothing
                : followed
                  ? button("Stop following", "worktree-follow", () => void this.follow(each, false))
                  : button("Follow", "worktree-follow", () => this.ask({ what: "follow", path: each.path }))
            }
            ${main || each.locked ? nothing : button("Remove", "worktree-remove", () => void this.askToRemove(each), "bad")}`
          : nothing
      }
    </div>`;
  }

  private switchForm(each: Worktree): TemplateResult {
    const free = freeBranches(this.branches);
    return html`<form class="question" @submit=${(event: Event) => void this.switchTo(event, each)}>
      <label class="hidden" for="switch-branch">Branch</label>
      <select id="switch-branch" class="field" data-testid="switch-branch">
        ${free.map((name) => html`<option value=${name}>${readable(name)}</option>`)}
        ${free.length === 0 ? html`<option value="">No other branch is free</option>` : nothing}
      </select>
      <button type="button" class="text-button" @click=${() => this.ask(undefined)}>Cancel</button>
      <button class="button" data-testid="switch-submit" ?disabled=${this.busy || free.length === 0}>Switch</button>
    </form>`;
  }

  private followForm(each: Worktree): TemplateResult {
    return html`<div class="question" role="group" aria-label="Follow ${worktreeName(each)}">
      <p data-testid="follow-question">
        The main worktree switches to this branch whenever you commit or check out here. This adds hooks to the
        repository.
      </p>
      <button class="text-button" @click=${() => this.ask(undefined)}>Cancel</button>
      <button
        class="button"
        data-testid="follow-submit"
        ?disabled=${this.busy}
        @click=${() => this.follow(each, true)}
      >
        Follow
      </button>
    </div>`;
  }

  private removeForm(each: Worktree, lost: string | undefined): TemplateResult {
    return html`<div class="question" role="group" aria-label="Remove ${worktreeName(each)}">
      <p data-testid="remove-question">
        This removes the folder.
        ${each.detached ? "Commits that are on no branch are lost." : "The branch stays."}
        ${lost === undefined ? nothing : html`Changes that are in no commit are lost: <strong>${lost}</strong>.`}
      </p>
      <button class="text-button" @click=${() => this.ask(undefined)}>Cancel</button>
      <button
        class="button danger"
        data-testid="remove-submit"
        ?disabled=${this.busy}
        @click=${() => this.discard(each, lost !== undefined)}
      >
        ${lost === undefined ? "Remove" : "Remove with changes"}
      </button>
    </div>`;
  }

  private newForm(): TemplateResult {
    return html`<form class="worktree-form" @submit=${(event: Event) => void this.make(event)}>
      <h3>New worktree</h3>
      <vt-new-worktree .main=${this.found?.worktrees[0]?.path ?? ""} .branches=${this.branches}></vt-new-worktree>
      <div class="question">
        <button type="button" class="text-button" @click=${() => this.ask(undefined)}>Cancel</button>
        <button class="button primary" data-testid="worktree-make" ?disabled=${this.busy}>
          ${this.busy ? "One moment…" : "Create"}
        </button>
      </div>
    </form>`;
  }

  private ask(asking: Asking | undefined): void {
    const before = this.asking;
    this.questions += 1;
    this.asking = asking;
    this.error = "";
    this.news = "";
    void this.focusAfter(before);
  }

  /** Put the focus on the first field or button of the question, or on what the user goes on with after it. */
  private async focusAfter(before: Asking | undefined): Promise<void> {
    await this.updateComplete;
    await this.fields?.updateComplete;
    if (!this.asking && !before) return;
    const path = before && "path" in before ? before.path : undefined;
    const row = [...this.querySelectorAll<HTMLElement>(".worktree")].find(({ dataset }) => dataset["path"] === path);
    const place = this.asking ? this.querySelector(".worktree-form, .question") : (row ?? this.querySelector("footer"));
    place?.querySelector<HTMLElement>("select, button")?.focus();
  }

  /** Where the repository is asked about: the worktree of `path` may be removed here. */
  private get place(): string {
    return this.found?.worktrees[0]?.path ?? this.path;
  }

  private get git(): GitApi {
    return new GitApi(this.api);
  }

  private async load(): Promise<void> {
    try {
      const { git, place } = this;
      const all = [git.worktrees(place), git.branches(place), followNotices.look(git)] as const;
      [this.found, this.branches] = await Promise.all(all);
    } catch (error) {
      this.error = messageOf(error);
    }
  }

  /** Do something, unless something is being done. */
  private async attempt(work: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    this.news = "";
    try {
      await work();
    } catch (error) {
      this.error = messageOf(error);
    } finally {
      this.busy = false;
    }
  }

  /** Change something, then show what is there now. work: returns what is said about it. */
  private async change(work: () => Promise<string>): Promise<void> {
    const { asking } = this;
    await this.attempt(async () => {
      this.news = await work();
      this.asking = undefined;
      this.dispatchEvent(new Event("changed"));
      await this.load();
    });
    if (!this.asking) await this.focusAfter(asking);
  }

  private start(each: Worktree): Promise<void> {
    return this.attempt(async () => {
      const session = await this.api.create({ workingDir: each.path });
      this.close();
      go(this, sessionPath(session.id));
    });
  }

  private show(each: Worktree): void {
    go(this, changesPath(each.path));
    this.close();
  }

  private switchTo(event: Event, each: Worktree): Promise<void> {
    event.preventDefault();
    const wanted = this.switchField?.value ?? "";
    return this.change(async () => {
      await this.git.switch(each.path, wanted);
      return `${each.path} is on ${wanted} now.`;
    });
  }

  private follow(each: Worktree, enable: boolean): Promise<void> {
    return this.change(async () => {
      followNotices.dismiss(this.place);
      const answer = await this.git.follow(this.place, branchOf(each), enable);
      return [answer.message, ...(answer.hooksInstallResult?.errors ?? [])].join(" ");
    });
  }

  /** Ask, and name what would be lost. */
  private async askToRemove(each: Worktree): Promise<void> {
    this.ask(undefined);
    const asked = this.questions;
    try {
      const { files, truncated } = await this.git.changes(each.path);
      if (asked !== this.questions) return; // the user has gone on to another question
      const lost = files.length > 0 ? namesOf(files, truncated) : undefined;
      this.ask({ what: "remove", path: each.path, lost });
    } catch (error) {
      if (asked === this.questions) this.error = messageOf(error);
    }
  }

  private discard(each: Worktree, force: boolean): Promise<void> {
    return this.change(async () => {
      await this.git.removeWorktree(this.place, each.path, force);
      return `${each.path} is removed.`;
    });
  }

  private prune(): Promise<void> {
    return this.change(async () => {
      await this.git.prune(this.place);
      return "The missing worktrees are no longer in the list.";
    });
  }

  private make(event: Event): Promise<void> {
    event.preventDefault();
    return this.change(async () => {
      const order = this.fields?.order();
      if (!order) return "";
      const folder = await this.git.addWorktree(this.place, order.branch, order.folder, order.base);
      return `${order.branch} is in ${folder} now.`;
    });
  }
}
