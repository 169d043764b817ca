/** Asks for confirmation before something that cannot be undone. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { messageOf } from "../api.js";
import { Modal } from "./modal.js";

@customElement("vt-confirm-dialog")
export class ConfirmDialog extends Modal {
  @property({ attribute: false }) heading = "";
  @property({ attribute: false }) text = "";
  @property({ attribute: false }) action = "";
  /** Runs on confirmation. If it fails, the dialog stays and shows the reason. */
  @property({ attribute: false }) run: () => Promise<unknown> = () => Promise.resolve();

  @state() private busy = false;
  @state() private error = "";

  protected override render(): TemplateResult {
    return html`<dialog
      class="modal"
      role="alertdialog"
      aria-labelledby="confirm-title"
      aria-describedby="confirm-text"
    >
      <form @submit=${this.submit}>
        <h2 id="confirm-title">${this.heading}</h2>
        <p id="confirm-text" class="quiet">${this.text}</p>
        <p class="error" role="alert">
          ${this.error === "" ? nothing : html`<span data-testid="error">${this.error}</span>`}
        </p>
        <footer>
          <button type="button" class="button" data-testid="confirm-cancel" @click=${this.close} autofocus>
            Cancel
          </button>
          <button class="button danger" data-testid="confirm-submit" ?disabled=${this.busy}>
            ${this.busy ? "One moment…" : this.action}
          </button>
        </footer>
      </form>
    </dialog>`;
  }

  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      await this.run();
      this.close();
    } catch (error) {
      this.error = messageOf(error);
    } finally {
      this.busy = false;
    }
  }
}
