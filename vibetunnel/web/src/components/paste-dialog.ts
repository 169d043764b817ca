/** A field to paste into, for browsers that do not let a page read the clipboard. */

import { type TemplateResult, html } from "lit";
import { customElement } from "lit/decorators.js";

import { Modal } from "./modal.js";

/** Dispatches `paste-text` (detail: the text). */
@customElement("vt-paste-dialog")
export class PasteDialog extends Modal {
  protected override render(): TemplateResult {
    return html`<dialog class="modal" aria-labelledby="paste-title">
      <form @submit=${this.submit}>
        <h2 id="paste-title">Paste</h2>
        <label for="paste-text">Paste your text here to send it to the terminal.</label>
        <textarea
          id="paste-text"
          name="text"
          class="field mono"
          rows="4"
          autocapitalize="off"
          spellcheck="false"
          autofocus
        ></textarea>
        <footer>
          <button type="button" class="button" @click=${this.close}>Cancel</button>
          <button class="button primary">Send</button>
        </footer>
      </form>
    </dialog>`;
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const text = this.querySelector("textarea")?.value ?? "";
    this.close();
    if (text !== "") this.dispatchEvent(new CustomEvent("paste-text", { detail: text }));
  }
}
