/** Where in a repository a new session starts: in the folder itself, in a worktree, or in a new worktree. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import { type Api, messageOf } from "../api.js";
import { FileApi } from "../file-api.js";
import { withoutSlash } from "../file-paths.js";
import { type Branch, GitApi, type Worktree, type Worktrees } from "../git-api.js";
import { worktreeName } from "../worktrees.js";
import { branch as branchIcon } from "./icons.js";
import type { NewWorktree } from "./new-worktree.js";
import "./new-worktree.js";
import { PlainElement } from "./plain-element.js";
import "../styles/worktrees.css";

const SETTLE_MS = 300; // after a key
const HERE = "";
const NEW = "new"; // no absolute path

/** Dispatches `list-worktrees` (detail: a folder of the repository). */
@customElement("vt-start-place")
export class StartPlace extends PlainElement {
  @property({ attribute: false }) api!: Api;
  /** What the user has typed as the folder. */
  @property({ attribute: false }) folder = "";

  @state() private repository: string | undefined;
  @state() private found: Worktrees | undefined;
  @state() private branches: readonly Branch[] = [];
  @state() private choice = HERE; // HERE, NEW, or the path of a worktree
  @state() private error = "";
  @query("vt-new-worktree") private fields!: NewWorktree | null;

  private seen = ""; // the folder that all this is about
  private asked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** The folder in which the session starts, after a new worktree was made; undefined: what was typed. */
  async folderToStartIn(): Promise<string | undefined> {
    if (this.repository === undefined || this.choice === HERE || this.folder !== this.seen) return undefined;
    if (this.choice !== NEW) return this.choice;
    const order = this.fields?.order();
    if (!order) return undefined;
    const made = await new GitApi(this.api).addWorktree(this.repository, order.branch, order.folder, order.base);
    await this.reload(); // if the session then cannot start, the worktree is there to be chosen
    this.choice = made;
    return made;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    this.asked += 1;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("folder")) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), SETTLE_MS);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { repository, found } = this;
    if (this.error !== "") {
      return html`<p class="error start-error" role="alert" data-testid="git-error">${this.error}</p>`;
    }
    if (repository === undefined || !found) return nothing;
    const here = found.worktrees.find((each) => each.path === repository);
    const { others } = this;
    return html`<div class="start-place" data-testid="start-place">
      <div class="start-label">
        <label for="start-place">${branchIcon}Start in</label>
        <button type="button" class="text-button" data-testid="worktrees-open" @click=${() => this.tell(repository)}>
          Worktrees
        </button>
      </div>
      <select
        id="start-place"
        class="field"
        data-testid="start-in"
        .value=${this.choice}
        @change=${(event: Event) => (this.choice = (event.target as HTMLSelectElement).value)}
      >
        <option value=${HERE}>This folder${here ? ` (${worktreeName(here)})` : ""}</option>
        ${
          others.length === 0
            ? nothing
            : html`<optgroup label="Other worktrees">
                ${others.map(
                  (each) =>
                    html`<option value=${each.path} ?selected=${each.path === this.choice}>
                      ${worktreeName(each)} (${each.path})
                    </option>`,
                )}
              </optgroup>`
        }
        <option value=${NEW}>A new worktree…</option>
      </select>
      ${
        found.followStatus.enabled
          ? html`<p class="quiet start-note" data-testid="follow-note">
              The main worktree follows ${found.followStatus.worktreePath}.
            </p>`
          : nothing
      }
      ${
        this.choice === NEW
          ? html`<vt-new-worktree
              .main=${found.worktrees[0]?.path ?? repository}
              .branches=${this.branches}
            ></vt-new-worktree>`
          : nothing
      }
    </div>`;
  }

  /** The worktrees that can be chosen, without the one of the typed folder. */
  private get others(): readonly Worktree[] {
    return this.found?.worktrees.filter((each) => each.path !== this.repository && !each.prunable) ?? [];
  }

  /** Ask again what is there. */
  async reload(): Promise<void> {
    if (this.repository !== undefined) await this.load(this.repository);
  }

  /** Whether what is typed is a folder in a repository. Only a folder that is there is asked about. */
  private async look(): Promise<void> {
    const asked = ++this.asked;
    const { folder } = this;
    const typed = withoutSlash(folder.trim());
    const kind = typed === "" ? undefined : await new FileApi(this.api).kind(typed).catch(() => undefined);
    const asks = kind === "directory";
    const repository = asks ? await new GitApi(this.api).repository(typed).catch(() => undefined) : undefined;
    if (asked !== this.asked) return;
    this.seen = folder;
    if (repository === this.repository) return;
    this.repository = repository;
    this.found = undefined;
    this.choice = HERE;
    this.error = "";
    if (repository !== undefined) await this.load(repository);
  }

  private tell(repository: string): void {
    this.dispatchEvent(new CustomEvent("list-worktrees", { detail: repository }));
  }

  private async load(repository: string): Promise<void> {
    const git = new GitApi(this.api);
    try {
      const [found, branches] = await Promise.all([git.worktrees(repository), git.branches(repository)]);
      if (repository !== this.repository) return;
      [this.found, this.branches] = [found, branches];
      if (![HERE, NEW, ...this.others.map((each) => each.path)].includes(this.choice)) this.choice = HERE; // it is gone
    } catch (error) {
      if (repository === this.repository) this.error = messageOf(error);
    }
  }
}
