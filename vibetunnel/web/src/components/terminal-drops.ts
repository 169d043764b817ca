/** Files that are dropped on a terminal, or pasted into it: they are uploaded, and their paths are inserted. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Api, messageOf } from "../api.js";
import { bringsFiles, dropped } from "../dropped.js";
import { FileApi } from "../file-api.js";
import { shellWords } from "../file-paths.js";
import type { Chosen } from "../pieces.js";
import { askBeforeLeaving } from "../tab-uploads.js";
import { TerminalUploads } from "../terminal-uploads.js";
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

  private leaving = new AbortController();
  private uploads!: TerminalUploads;
  private timer: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    this.uploads = new TerminalUploads(new FileApi(this.api));
    this.uploads.addEventListener("change", () => this.requestUpdate(), { signal });
    this.uploads.addEventListener("stored", () => this.stored(), { signal });
    askBeforeLeaving(this.uploads);
    const around = this.parentElement;
    around?.addEventListener("dragover", (event) => this.dragOver(event), { signal });
    around?.addEventListener("dragleave", (event) => this.dragLeft(event), { signal });
    around?.addEventListener("drop", (event) => this.drop(event), { signal });
    around?.addEventListener("paste", (event) => this.pasted(event), { signal, capture: true }); // before the terminal
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    this.uploads.cancel();
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
        .progress=${this.uploads.progress}
        @cancel-uploads=${() => this.uploads.cancel()}
        @retry-uploads=${() => this.uploads.retry()}
        @dismiss-uploads=${() => this.uploads.dismiss()}
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
    dropped(event.dataTransfer).then(
      ({ chosen, remark }) => {
        const files = chosen.filter(({ folder }) => folder === "");
        const left = files.length < chosen.length ? "Upload folders in the files panel." : "";
        this.upload(files, [remark, left].filter((each) => each !== "").join(" "));
      },
      (error: unknown) => this.upload([], `The files cannot be read: ${messageOf(error)}`),
    );
  }

  /** A picture, for example; a text that comes along with one is what the user wants to paste. */
  private pasted(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!this.allowed || files.length === 0 || event.clipboardData?.getData("text/plain")) return;
    event.preventDefault();
    event.stopPropagation();
    const chosen = files.map((file) => ({ file, folder: "" }));
    this.upload(chosen, "");
  }

  private upload(chosen: readonly Chosen[], remark: string): void {
    clearTimeout(this.timer);
    void this.uploads.add("", chosen, remark);
  }

  private stored(): void {
    const paths = this.uploads.takePaths();
    if (paths.length > 0) this.dispatchEvent(new CustomEvent("insert-text", { detail: shellWords(paths) }));
    const { progress } = this.uploads;
    if (progress?.remarks.length === 0) this.timer = setTimeout(() => this.uploads.dismiss(), SHOWN_MS);
  }
}
