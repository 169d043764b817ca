/** Asks for the name of a new folder, and makes it. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { messageOf } from "../api.js";
import type { FileApi } from "../file-api.js";
import { baseName } from "../file-paths.js";
import { Modal } from "./modal.js";

/** Dispatches `made` (detail: the name). */
@customElement("vt-folder-dialog")
export class FolderDialog extends Modal {
  @property({ attribute: false }) files!: FileApi;
  /** The folder above. */
  @property({ attribute: false }) folder = "";
  @state() private busy = false;
  @state() private error = "";

  protected override render(): TemplateResult {
    return html`<dialog class="modal" aria-labelledby="folder-title">
      <form @submit=${this.submit}>
        <h2 id="folder-title">New folder in <bdi>${baseName(this.folder)}</bdi></h2>
        <label for="folder-name">Name</label>
        <input
          id="folder-name"
          name="name"
          class="field"
          required
          maxlength="255"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          autofocus
          data-testid="folder-name"
        />
        <p class="error" role="alert">
          ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
        </p>
        <footer>
          <button type="button" class="button" @click=${this.close}>Cancel</button>
          <button class="button primary" data-testid="folder-submit" ?disabled=${this.busy}>Create</button>
        </footer>
      </form>
    </dialog>`;
  }

  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const name = this.querySelector("input")?.value ?? "";
    if (this.busy || name === "") return;
    this.busy = true;
    this.error = "";
    try {
      await this.files.makeFolder(this.folder, name);
      this.dispatchEvent(new CustomEvent("made", { detail: name }));
      this.close();
    } catch (error) {
      this.error = messageOf(error);
    } finally {
      this.busy = false;
    }
  }
}
