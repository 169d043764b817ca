/** Asks for the command, folder and name of a new session. All may stay empty, and Enter creates it at once. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import { type Api, type CreateOrder, type ServerConfig, messageOf } from "../api.js";
import { commandLine } from "../format.js";
import { sessionPath } from "../router.js";
import { Modal } from "./modal.js";
import { go } from "./navigation.js";
import type { StartPlace } from "./start-place.js";

@customElement("vt-create-dialog")
export class CreateDialog extends Modal {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) config: ServerConfig = {};
  /** Whether this user may look at files: then folders and worktrees are offered. */
  @property({ attribute: false }) files = false;
  /** Folders that the user may want again. */
  @property({ attribute: false }) recent: readonly string[] = [];

  @state() private busy = false;
  @state() private folder = "";
  @state() private listed = ""; // the repository whose worktrees are shown over this dialog
  @query("#create-folder") private folderField!: HTMLInputElement | null;
  @query("vt-start-place") private place!: StartPlace | null;
  @state() private error = "";

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.files) return;
    // They are not needed for a shell, and come while the user types. Until then, both elements are empty.
    void Promise.all([import("./folder-choices.js"), import("./start-place.js")]).catch(() => undefined);
  }

  protected override firstUpdated(): void {
    super.firstUpdated();
    this.requestUpdate(); // for the list of folders, which needs the field
  }

  protected override render(): TemplateResult {
    const shell = this.config.defaultCommand;
    return html`<dialog class="modal" aria-labelledby="create-title">
      <form @submit=${this.submit}>
        <h2 id="create-title">New session</h2>
        <label for="create-command">Command</label>
        <input
          id="create-command"
          name="command"
          data-testid="create-command"
          class="field mono"
          placeholder=${shell ? commandLine(shell) : "your login shell"}
          autocomplete="off"
          autocapitalize="off"
          autocorrect="off"
          spellcheck="false"
          autofocus
        />
        <label for="create-folder">Folder</label>
        <input
          id="create-folder"
          name="workingDir"
          data-testid="create-folder"
          class="field mono"
          placeholder=${this.config.workingDir ?? "~"}
          autocomplete="off"
          autocapitalize="off"
          autocorrect="off"
          spellcheck="false"
          @input=${() => (this.folder = this.folderField?.value ?? "")}
        />
        ${
          this.files && this.hasUpdated
            ? html`<vt-folder-choices
                  .api=${this.api}
                  .field=${this.folderField}
                  .recent=${this.recent}
                  .home=${this.config.workingDir}
                ></vt-folder-choices>
                <vt-start-place
                  .api=${this.api}
                  .folder=${this.folder}
                  @list-worktrees=${(event: CustomEvent<string>) => void this.listWorktrees(event.detail)}
                ></vt-start-place>`
            : nothing
        }
        <label for="create-name">Name</label>
        <input
          id="create-name"
          name="name"
          data-testid="create-name"
          class="field"
          placeholder="named after the command"
          maxlength="200"
          autocomplete="off"
        />
        <p class="error" role="alert">
          ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
        </p>
        <footer>
          <button type="button" class="button" @click=${this.close}>Cancel</button>
          <button class="button primary" data-testid="create-submit" ?disabled=${this.busy}>
            ${this.busy ? "One moment…" : "Create"}
          </button>
        </footer>
      </form>
      ${
        this.listed === ""
          ? nothing
          : html`<vt-worktrees-dialog
              .api=${this.api}
              .path=${this.listed}
              @closed=${() => (this.listed = "")}
              @changed=${() => this.place?.reload()}
            ></vt-worktrees-dialog>`
      }
    </dialog>`;
  }

  private async listWorktrees(repository: string): Promise<void> {
    try {
      await import("./worktrees-dialog.js");
      this.listed = repository;
    } catch {
      this.error = "The worktrees could not be loaded. Reload the page.";
    }
  }

  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (this.busy || !(event.target instanceof HTMLFormElement)) return;
    this.busy = true;
    this.error = "";
    try {
      const wanted = order(new FormData(event.target));
      const workingDir = await this.place?.folderToStartIn?.(); // without the method while it is not loaded
      const session = await this.api.create(workingDir === undefined ? wanted : { ...wanted, workingDir });
      this.close();
      go(this, sessionPath(session.id));
    } catch (error) {
      this.error = messageOf(error);
    } finally {
      this.busy = false;
    }
  }
}

function order(form: FormData): CreateOrder {
  const filled = [...form].flatMap(([field, value]) => {
    const text = typeof value === "string" ? value.trim() : "";
    return text === "" ? [] : [[field, text] as const];
  });
  return Object.fromEntries(filled) as CreateOrder;
}
