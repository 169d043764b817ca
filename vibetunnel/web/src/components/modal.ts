/** A modal dialog: the browser's own <dialog>, which keeps the focus inside and closes on Escape. */

import { PlainElement } from "./plain-element.js";

/** The base of all dialogs. Dispatches `closed` when the dialog closes, for whatever reason. */
export class Modal extends PlainElement {
  protected get dialog(): HTMLDialogElement | null {
    return this.querySelector("dialog");
  }

  protected override firstUpdated(): void {
    const { dialog } = this;
    dialog?.addEventListener("close", () => this.dispatchEvent(new Event("closed")));
    dialog?.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // the backdrop
    });
    dialog?.showModal();
  }

  protected close(): void {
    this.dialog?.close();
  }
}
