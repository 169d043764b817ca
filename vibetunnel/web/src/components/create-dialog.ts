/** Asks for the command, folder and name of a new session. All may stay empty. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Api, type CreateOrder, type ServerConfig, messageOf } from "../api.js";
import { commandLine } from "../format.js";
import { sessionPath } from "../router.js";
import { Modal } from "./modal.js";
import { go } from "./navigation.js";

@customElement("vt-create-dialog")
export class CreateDialog extends Modal {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) config: ServerConfig = {};

  @state() private busy = false;
  @state() private error = "";

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
        />
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
          <button class="button primary" data-testid="create-submit" ?disabled=${this.busy}>Create</button>
        </footer>
      </form>
    </dialog>`;
  }

  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (this.busy || !(event.target instanceof HTMLFormElement)) return;
    this.busy = true;
    this.error = "";
    try {
      const session = await this.api.create(order(new FormData(event.target)));
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
