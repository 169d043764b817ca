/** The panel beside a terminal: as wide as the user drags it, and over the whole page where that is narrow. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import type { Api } from "../api.js";
import { prefer, preference } from "../preferences.js";
import type { FilesPanel, Place } from "./files-panel.js";
import { PlainElement } from "./plain-element.js";
import "../styles/side-panel.css";

const USUAL = 420; // CSS pixels, as all lengths here
const LEAST = 280;
const TERMINAL = 320; // what the terminal keeps
const REFRESH_MS = 500;
const STEP = 24; // of an arrow key

/** Dispatches what vt-files-panel dispatches. */
@customElement("vt-side-panel")
export class SidePanel extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) place: Place = { path: "" };
  @property({ attribute: false }) folder = "";
  @property({ attribute: false }) inserts = false;
  @property({ attribute: false }) git = false;
  @state() private panel: "loading" | "loaded" | "failed" = "loading";
  @state() private width = kept();

  private timer: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    import("./files-panel.js").then(
      () => {
        this.panel = "loaded";
        void this.updateComplete.then(() => this.focus());
      },
      () => (this.panel = "failed"),
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  /** A command may have changed files: fetch them again, though not for each of many commands. */
  refreshSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.querySelector<FilesPanel>("vt-files-panel")?.refresh();
    }, REFRESH_MS);
  }

  override focus(): void {
    this.querySelector<FilesPanel>("vt-files-panel")?.focus();
  }

  protected override willUpdate(): void {
    this.style.setProperty("--side-width", `${this.width}px`);
  }

  protected override render(): TemplateResult {
    return html`<div
        class="splitter"
        role="separator"
        tabindex="0"
        aria-orientation="vertical"
        aria-label="Width of the panel"
        aria-valuenow=${this.width}
        aria-valuemin=${LEAST}
        data-testid="splitter"
        @pointerdown=${this.grab}
        @pointermove=${this.drag}
        @pointerup=${this.release}
        @dblclick=${() => this.take(USUAL)}
        @keydown=${this.key}
      ></div>
      <aside>
        ${
          this.panel === "failed"
            ? html`<p class="banner" role="alert">
                The panel could not be loaded. Reload the page.
                <button class="text-button" @click=${() => this.dispatchEvent(new Event("closed"))}>Close</button>
              </p>`
            : nothing
        }
        ${
          this.panel === "loaded"
            ? html`<vt-files-panel
                .api=${this.api}
                .place=${this.place}
                .folder=${this.folder}
                .inserts=${this.inserts}
                .git=${this.git}
                @insert-text=${(event: CustomEvent<string>) =>
                  this.dispatchEvent(new CustomEvent("insert-text", { detail: event.detail }))}
                @closed=${() => this.dispatchEvent(new Event("closed"))}
              ></vt-files-panel>`
            : nothing
        }
      </aside>`;
  }

  private grab(event: PointerEvent): void {
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
  }

  private drag(event: PointerEvent): void {
    if (!(event.currentTarget as HTMLElement).hasPointerCapture(event.pointerId)) return;
    this.width = this.fitting(this.getBoundingClientRect().right - event.clientX);
  }

  private release(): void {
    this.take(this.width);
  }

  private key(event: KeyboardEvent): void {
    const step = event.key === "ArrowLeft" ? STEP : event.key === "ArrowRight" ? -STEP : 0;
    if (step === 0) return;
    event.preventDefault();
    this.take(this.width + step);
  }

  private take(width: number): void {
    this.width = this.fitting(width);
    prefer("files.width", String(this.width));
  }

  private fitting(width: number): number {
    return Math.round(Math.max(LEAST, Math.min(width, innerWidth - TERMINAL)));
  }
}

function kept(): number {
  const width = Number(preference("files.width"));
  return width >= LEAST && width <= 4000 ? width : USUAL;
}

declare global {
  interface HTMLElementTagNameMap {
    "vt-side-panel": SidePanel;
  }
}
