/** The keys that a phone's keyboard lacks. */

import { type TemplateResult, html } from "lit";
import { customElement, property } from "lit/decorators.js";

import type { BarKey } from "../keys.js";
import { PlainElement } from "./plain-element.js";

const KEYS: readonly { readonly key: BarKey; readonly label: string; readonly name: string }[] = [
  { key: "left", label: "←", name: "Left" },
  { key: "down", label: "↓", name: "Down" },
  { key: "up", label: "↑", name: "Up" },
  { key: "right", label: "→", name: "Right" },
];

/** Dispatches `press` (detail: BarKey), `control`, `copy-selection` and `paste-clipboard`. */
@customElement("vt-key-bar")
export class KeyBar extends PlainElement {
  @property({ attribute: false }) control = false;
  @property({ attribute: false }) selected = false;

  protected override render(): TemplateResult {
    // The focus stays in the terminal: losing it would close the on-screen keyboard.
    return html`<div
      class="key-bar"
      role="toolbar"
      aria-label="Keys"
      data-testid="key-bar"
      @pointerdown=${keepFocus}
      @mousedown=${keepFocus}
    >
      ${this.button("Esc", "Escape", () => this.press("escape"))} ${this.button("Tab", "Tab", () => this.press("tab"))}
      <button
        aria-pressed=${this.control}
        data-testid="key-ctrl"
        @click=${() => this.dispatchEvent(new Event("control"))}
      >
        Ctrl
      </button>
      ${KEYS.map(({ key, label, name }) => this.button(label, name, () => this.press(key)))}
      ${
        this.selected
          ? this.button("Copy", "Copy the selection", () => this.dispatchEvent(new Event("copy-selection")))
          : this.button("Paste", "Paste", () => this.dispatchEvent(new Event("paste-clipboard")))
      }
    </div>`;
  }

  private button(label: string, name: string, action: () => void): TemplateResult {
    return html`<button aria-label=${name} @click=${action}>${label}</button>`;
  }

  private press(key: BarKey): void {
    this.dispatchEvent(new CustomEvent("press", { detail: key }));
  }
}

function keepFocus(event: Event): void {
  event.preventDefault();
}
