/** Shows the lines of a paste before a program that takes each line end as Enter gets them. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";

import { previewOf } from "../paste.js";
import { Modal } from "./modal.js";

/** Dispatches `paste-lines` (detail: whether to ask again the next time) when the user agrees. */
@customElement("vt-paste-lines-dialog")
export class PasteLinesDialog extends Modal {
  @property({ attribute: false }) text = "";

  protected override render(): TemplateResult {
    const { lines, count, whole } = previewOf(this.text);
    // The focus begins on Cancel: an Enter that was typed ahead must not paste what has not been read.
    return html`<dialog
      class="modal paste-lines"
      role="alertdialog"
      aria-labelledby="paste-lines-title"
      aria-describedby="paste-lines-text"
      data-testid="paste-lines"
    >
      <form @submit=${this.submit}>
        <h2 id="paste-lines-title">Paste ${count} lines?</h2>
        <p id="paste-lines-text" class="quiet">
          In this program, each line end acts as Enter. A shell would run the lines right away.
        </p>
        <ol class="mono" tabindex="0" aria-label="The lines" data-testid="paste-preview">
          ${lines.map((line) => html`<li>${line}</li>`)}
        </ol>
        ${whole ? nothing : html`<p class="quiet">Only the beginning is shown.</p>`}
        <label class="check">
          <input type="checkbox" name="unasked" data-testid="paste-unasked" />
          Do not ask again in this browser
        </label>
        <footer>
          <button type="button" class="button" data-testid="paste-cancel" @click=${this.close} autofocus>Cancel</button>
          <button class="button primary" data-testid="paste-submit">Paste ${count} lines</button>
        </footer>
      </form>
    </dialog>`;
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const ask = !this.querySelector<HTMLInputElement>("input")?.checked;
    this.close();
    this.dispatchEvent(new CustomEvent("paste-lines", { detail: ask }));
  }
}
