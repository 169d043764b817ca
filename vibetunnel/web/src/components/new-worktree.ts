/** The fields for a new worktree: its branch, where a new branch starts, and its folder. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import type { Branch } from "../git-api.js";
import { branchProblem, freeBranches, suggestedFolder } from "../worktrees.js";
import { PlainElement } from "./plain-element.js";

export interface WorktreeOrder {
  readonly branch: string;
  readonly folder: string;
  /** undefined: the branch exists. */
  readonly base: string | undefined;
}

const NEW = ""; // the option of a new branch: no branch has this name
let made = 0; // elements of this kind: two may be in one page

@customElement("vt-new-worktree")
export class NewWorktree extends PlainElement {
  /** The folder of the main worktree. */
  @property({ attribute: false }) main = "";
  @property({ attribute: false }) branches: readonly Branch[] = [];

  private readonly stem = `worktree-${++made}`; // of its fields' ids
  @state() private branch = NEW;
  @state() private name = "";
  @state() private base = "";
  @state() private folder: string | undefined; // what the user has typed; undefined: the suggestion

  /** What to make. Throws an Error with a sentence for the user. */
  order(): WorktreeOrder {
    const branch = this.chosen;
    const problem = this.branch === NEW ? branchProblem(branch, this.branches) : "";
    if (problem !== "") throw new Error(problem);
    if (this.branches.length === 0) throw new Error("The repository has no commit yet: a worktree needs one.");
    const folder = (this.folder ?? suggestedFolder(this.main, branch)).trim();
    if (folder === "") throw new Error("Enter the folder of the new worktree.");
    return { branch, folder, base: this.branch === NEW ? this.base : undefined };
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("branches")) this.base = (this.branches.find((each) => each.current) ?? this.branches[0])?.name ?? "";
  }

  protected override render(): TemplateResult {
    const free = freeBranches(this.branches);
    return html`<div class="new-worktree">
      <div class="pair">
        <div>
          <label for="${this.stem}-branch">Branch</label>
          <select
            id="${this.stem}-branch"
            class="field"
            data-testid="worktree-branch"
            @change=${(event: Event) => (this.branch = valueOf(event))}
          >
            <option value=${NEW}>A new branch</option>
            ${free.length === 0 ? nothing : html`<hr />`}
            ${free.map((each) => html`<option value=${each}>${each}</option>`)}
          </select>
        </div>
        ${this.branch === NEW ? this.startingPoint() : nothing}
      </div>
      ${
        this.branch === NEW
          ? html`<label for="${this.stem}-name">Name of the branch</label>
              <input
                id="${this.stem}-name"
                class="field mono"
                data-testid="worktree-name"
                placeholder="feature/name"
                maxlength="250"
                autocomplete="off"
                autocapitalize="off"
                autocorrect="off"
                spellcheck="false"
                .value=${this.name}
                @input=${(event: Event) => (this.name = valueOf(event))}
              />`
          : nothing
      }
      <label for="${this.stem}-folder">Folder of the worktree</label>
      <input
        id="${this.stem}-folder"
        class="field mono"
        data-testid="worktree-folder"
        autocomplete="off"
        autocapitalize="off"
        autocorrect="off"
        spellcheck="false"
        placeholder=${suggestedFolder(this.main, "name")}
        .value=${this.folder ?? suggestedFolder(this.main, this.chosen)}
        @input=${(event: Event) => (this.folder = valueOf(event) === "" ? undefined : valueOf(event))}
      />
    </div>`;
  }

  private startingPoint(): TemplateResult {
    return html`<div>
      <label for="${this.stem}-base">Starts at</label>
      <select
        id="${this.stem}-base"
        class="field"
        data-testid="worktree-base"
        @change=${(event: Event) => (this.base = valueOf(event))}
      >
        ${this.branches.map(
          ({ name }) => html`<option value=${name} ?selected=${name === this.base}>${name}</option>`,
        )}
      </select>
    </div>`;
  }

  private get chosen(): string {
    return this.branch === NEW ? this.name.trim() : this.branch;
  }
}

function valueOf(event: Event): string {
  return (event.target as HTMLInputElement | HTMLSelectElement).value;
}
