/** How far uploads are, and what went otherwise than expected. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";

import { counted } from "../format.js";
import type { Progress } from "../uploads.js";
import { cross } from "./icons.js";
import { PlainElement } from "./plain-element.js";
import "../styles/uploads.css";

/** Dispatches `cancel-uploads`, `retry-uploads` and `dismiss-uploads`. */
@customElement("vt-upload-report")
export class UploadReport extends PlainElement {
  @property({ attribute: false }) progress: Progress | undefined;

  protected override render(): TemplateResult {
    const { progress } = this;
    if (!progress) return html`<div role="status"></div>`;
    return html`<div class="upload-report" role="status" data-testid="upload-report">
      <div class="upload-line">
        <p data-testid="upload-words"><bdi>${words(progress)}</bdi></p>
        ${progress.active ? html`<span class="quiet">${progress.percent}%</span>` : nothing}
        ${
          progress.failed > 0 && !progress.active
            ? html`<button class="text-button" data-testid="upload-retry" @click=${() => this.tell("retry-uploads")}>
                Try again
              </button>`
            : nothing
        }
        ${
          progress.active
            ? html`<button class="text-button" data-testid="upload-cancel" @click=${() => this.tell("cancel-uploads")}>
                Cancel
              </button>`
            : html`<button
                class="quiet-button"
                aria-label="Dismiss"
                title="Dismiss"
                data-testid="upload-dismiss"
                @click=${() => this.tell("dismiss-uploads")}
              >
                ${cross}
              </button>`
        }
      </div>
      ${
        progress.active
          ? html`<progress max="100" value=${progress.percent} aria-label="Upload"></progress>`
          : nothing
      }
      ${progress.remarks.map((remark) => html`<p class="quiet remark" data-testid="upload-remark"><bdi>${remark}</bdi></p>`)}
    </div>`;
  }

  private tell(name: string): void {
    this.dispatchEvent(new Event(name));
  }
}

function words({ active, count, stored, failed, name }: Progress): string {
  if (active && name === "") return "Making folders…";
  if (active) return count === 1 ? `Uploading ${name}` : `Uploading ${stored + failed + 1} of ${count}: ${name}`;
  if (count === 0) return "Nothing was uploaded";
  if (failed > 0) return `${failed} of ${count} ${count === 1 ? "file was" : "files were"} not uploaded`;
  return `Uploaded ${counted(stored, "file")}`;
}
