/** Files that are dropped on a terminal, or pasted into it: they are uploaded, and their paths are inserted. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Api, messageOf } from "../api.js";
import { bringsFiles, dropped } from "../dropped.js";
import { FileApi } from "../file-api.js";
import { shellWords } from "../file-paths.js";
import { percent } from "../pieces.js";
import type { Progress } from "../uploads.js";
import { PlainElement } from "./plain-element.js";
import "./upload-report.js";

const SHOWN_MS = 4_000; // how long the report stays after all went well

/** Watches the element that it is in. Dispatches `insert-text` (detail: text for the terminal). */
@customElement("vt-terminal-drops")
export class TerminalDrops extends PlainElement {
  @property({ attribute: false }) api!: Api;
  /** Whether the user may store files, and what is inserted arrives. */
  @property({ attribute: false }) allowed = false;
  @state() private dragged = false;
  @state() private progress: Progress | undefined;

  private leaving = new AbortController();
  private ending = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const around = this.parentElement;
    around?.addEventListener("dragover", (event) => this.dragOver(event), { signal });
    around?.addEventListener("dragleave", (event) => this.dragLeft(event), { signal });
    around?.addEventListener("drop", (event) => this.drop(event), { signal });
    around?.addEventListener("paste", (event) => this.pasted(event), { signal, capture: true }); // before the terminal
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    this.ending.abort();
    clearTimeout(this.timer);
  }

  protected override render(): TemplateResult {
    return html`${
        this.dragged
          ? html`<p class="drop-words terminal-drop" aria-hidden="true" data-testid="drop-words">
              Drop to upload, and to insert the path
            </p>`
          : nothing
      }
      <vt-upload-report
        .progress=${this.progress}
        @cancel-uploads=${() => this.ending.abort()}
        @dismiss-uploads=${() => (this.progress = undefined)}
      ></vt-upload-report>`;
  }

  /** Without rights too: or the browser would open the file in place of the terminal. */
  private dragOver(event: DragEvent): void {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = this.allowed ? "copy" : "none";
    this.dragged = this.allowed;
  }

  private dragLeft(event: DragEvent): void {
    if (!this.parentElement?.contains(event.relatedTarget as Node | null)) this.dragged = false;
  }

  private drop(event: DragEvent): void {
    if (!bringsFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    this.dragged = false;
    if (!this.allowed) return;
    void dropped(event.dataTransfer).then(({ chosen }) => {
      const files = chosen.filter(({ folder }) => folder === "").map(({ file }) => file);
      const left = files.length < chosen.length ? ["Upload folders in the files panel."] : [];
      return this.upload(files, left);
    });
  }

  /** A picture, for example; a text that comes along with one is what the user wants to paste. */
  private pasted(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!this.allowed || files.length === 0 || event.clipboardData?.getData("text/plain")) return;
    event.preventDefault();
    event.stopPropagation();
    void this.upload(files, []);
  }

  private async upload(files: readonly File[], remarks: readonly string[]): Promise<void> {
    if (this.progress?.active) return; // one drop after the other
    clearTimeout(this.timer);
    this.ending = new AbortController();
    const paths: string[] = [];
    const size = files.reduce((sum, file) => sum + file.size, 0);
    let before = 0;
    const failed: string[] = [...remarks];
    const tell = (name: string, sent: number, active: boolean): void => {
      const done = paths.length === files.length;
      const problems = files.length - paths.length;
      this.progress = {
        count: files.length,
        stored: paths.length,
        failed: active ? 0 : problems,
        name,
        percent: percent(before + sent, size, done),
        active,
        remarks: failed,
      };
    };
    for (const file of files) {
      tell(file.name, 0, true);
      try {
        paths.push(await new FileApi(this.api).paste(file, (sent) => tell(file.name, sent, true), this.ending.signal));
      } catch (error) {
        failed.push(this.ending.signal.aborted ? "Cancelled" : `${file.name}: ${messageOf(error)}`);
      }
      before += file.size;
      if (this.ending.signal.aborted) break;
    }
    tell("", 0, false);
    if (failed.length === 0) this.timer = setTimeout(() => (this.progress = undefined), SHOWN_MS);
    if (paths.length > 0) this.dispatchEvent(new CustomEvent("insert-text", { detail: shellWords(paths) }));
  }
}
