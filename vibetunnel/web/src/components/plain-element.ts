/** The base of all elements here: Lit without a shadow root. */

import { LitElement } from "lit";

/** xterm.js, its add-ons and assistive technology work best in one document tree, and one set of styles serves all. */
export class PlainElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}
