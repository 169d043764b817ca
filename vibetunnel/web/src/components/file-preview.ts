/** What is in a file: its text with line numbers and colours, a picture, or what else can be done with it. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { messageOf } from "../api.js";
import { type Code, LONGEST, MOST_LINES, type Token, codeOf } from "../code-lines.js";
import type { FileApi, Preview } from "../file-api.js";
import { languageOf } from "../file-languages.js";
import { fileSize } from "../file-listing.js";
import { baseName } from "../file-paths.js";
import { highlighted } from "../highlight.js";
import { download, file as fileIcon } from "./file-icons.js";
import { PlainElement } from "./plain-element.js";

const BLOCK = 100; // lines that the browser leaves out of its layout together
const MOST_PDF = 64 * 1024 * 1024; // bytes that are fetched for the browser's viewer

/**
 * Dispatches `choose-line` (detail: the number) when the user clicks a line's number, and `previewed` (detail: the kind)
 * when it is known what the file is.
 */
@customElement("vt-file-preview")
export class FilePreview extends PlainElement {
  @property({ attribute: false }) files!: FileApi;
  @property({ attribute: false }) path = "";
  /** The line to show, from 1. */
  @property({ attribute: false }) line: number | undefined;
  @property({ attribute: false }) wraps = false;
  /** Changes when the file is to be fetched again. */
  @property({ attribute: false }) turn = 0;

  @state() private preview: Preview | undefined;
  @state() private error = "";
  @state() private pictureSize = "";
  @state() private pdf: { readonly address: string; readonly tag: string } | undefined; // the bytes in this page
  private code: Code = { lines: [], cut: "" };
  private tokens: readonly (readonly Token[])[] | undefined;
  private loads = 0; // changes with the content
  private drawn = ""; // what the lines on the page belong to
  private shownLine = ""; // the line that was brought into view
  private leaving = new AbortController();

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    this.forgetDocument();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) void this.load();
  }

  protected override willUpdate(changes: PropertyValues<this>): void {
    if (changes.has("path") || changes.has("turn")) void this.load(changes.has("path"));
  }

  protected override render(): TemplateResult {
    const { preview } = this;
    if (this.error !== "") {
      return html`<div class="preview-words" role="alert">
        <p class="error" data-testid="preview-error">${this.error}</p>
      </div>`;
    }
    if (!preview) return html`<div class="preview-words quiet" role="status">Loading…</div>`;
    if (preview.type === "image") return this.picture();
    if (isDocument(preview)) return this.document(preview);
    if (preview.type === "binary") return this.binary();
    return html`${this.remarks(preview)}
      <div
        class="code ${this.wraps ? "wraps" : ""}"
        tabindex="0"
        role="region"
        aria-label="Text of ${baseName(this.path)}"
        data-testid="preview-text"
        .style=${`--digits: ${String(this.code.lines.length).length}`}
        @click=${this.clicked}
      ></div>`;
  }

  protected override updated(): void {
    this.draw();
  }

  private remarks(preview: Preview): TemplateResult | typeof nothing {
    const { cut } = this.code;
    const shown = preview.truncated
      ? `This is the beginning of ${fileSize(preview.size)}.`
      : cut === "lines"
        ? `These are the first ${MOST_LINES.toLocaleString()} lines.`
        : cut === "characters"
          ? `Lines are cut after ${LONGEST.toLocaleString()} characters.`
          : "";
    const beyond = (this.line ?? 0) > this.code.lines.length ? `Line ${this.line} is not in this part.` : "";
    if (preview.content === "") return html`<p class="preview-remark">The file is empty.</p>`;
    if (shown === "" && beyond === "") return nothing;
    return html`<p class="preview-remark" role="status" data-testid="preview-remark">
      ${shown} ${beyond}
      ${shown === "" ? nothing : html`<a href=${this.files.rawUrl(this.path)} download=${baseName(this.path)}>Download the whole file</a>`}
    </p>`;
  }

  private picture(): TemplateResult {
    return html`<figure class="preview-picture">
      <img
        src="${this.files.rawUrl(this.path)}#${this.turn}"
        alt=${baseName(this.path)}
        data-testid="preview-picture"
        @load=${(event: Event) => this.measured(event.currentTarget as HTMLImageElement)}
        @error=${() => (this.error = "The browser cannot show this picture.")}
      />
      <figcaption>${this.pictureSize}</figcaption>
    </figure>`;
  }

  private document(preview: Preview): TemplateResult {
    const fits = preview.size <= MOST_PDF;
    return this.words(
      "PDF document",
      fits
        ? html`<a
            class="button primary"
            href=${this.pdf?.address ?? nothing}
            aria-disabled=${!this.pdf}
            target="_blank"
            rel="noopener"
            data-testid="preview-pdf"
            >${this.pdf ? "Open" : "Loading…"}</a
          >`
        : nothing,
    );
  }

  private binary(): TemplateResult {
    return this.words("This file is not text.", nothing);
  }

  private words(words: string, action: TemplateResult | typeof nothing): TemplateResult {
    const { preview } = this;
    return html`<div class="preview-words" data-testid="preview-binary">
      ${fileIcon}
      <h3>${baseName(this.path)}</h3>
      <p class="quiet">${words}</p>
      <p class="quiet">${fileSize(preview?.size ?? 0)} · ${preview?.mimeType}</p>
      <div class="choices">
        ${action}
        <a class="button" href=${this.files.rawUrl(this.path)} download=${baseName(this.path)}>${download} Download</a>
      </div>
    </div>`;
  }

  private measured(image: HTMLImageElement): void {
    const size = fileSize(this.preview?.size ?? 0);
    this.pictureSize = image.naturalWidth > 0 ? `${image.naturalWidth} × ${image.naturalHeight} · ${size}` : size;
  }

  private forgetDocument(): void {
    if (this.pdf) URL.revokeObjectURL(this.pdf.address);
    this.pdf = undefined;
  }

  /** Bring the line into view, even if it was shown before. */
  showLine(): void {
    this.shownLine = "";
    this.requestUpdate();
  }

  /** Fetch the file. What is shown stays until it is here; fresh: it is of another file, and goes at once. */
  private async load(fresh = true): Promise<void> {
    this.leaving.abort();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    const { path } = this;
    const before = fresh || this.error !== "" ? undefined : this.preview;
    if (fresh) {
      this.preview = undefined;
      this.pictureSize = "";
      this.forgetDocument();
    }
    this.error = "";
    try {
      const preview = await this.files.preview(path);
      if (signal.aborted) return;
      if (before?.type === "text" && before.content === preview.content) {
        if (!this.tokens) await this.colour(preview, signal);
        return; // it stays as it is drawn
      }
      if (!isDocument(preview)) this.forgetDocument();
      this.tokens = undefined;
      this.loads += 1;
      this.code = codeOf(preview.content ?? "");
      this.drawn = "";
      this.preview = preview;
      this.dispatchEvent(new CustomEvent("previewed", { detail: isDocument(preview) ? "binary" : preview.type }));
      if (isDocument(preview)) await this.loadDocument(preview, signal);
      else if (preview.type === "text") await this.colour(preview, signal);
    } catch (error) {
      if (!signal.aborted) this.error = messageOf(error);
    }
  }

  private async colour(preview: Preview, signal: AbortSignal): Promise<void> {
    const content = preview.content ?? "";
    const language = languageOf(baseName(this.path), preview.language ?? "", content);
    if (language === undefined || content === "") return;
    const tokens = await highlighted({ text: this.code.lines.join("\n"), language }, signal);
    if (signal.aborted || !tokens) return;
    this.tokens = tokens;
    this.requestUpdate();
  }

  /** For the browser's own viewer, in a tab of its own: the server sends files only as attachments, in a sandbox. */
  private async loadDocument({ size }: Preview, signal: AbortSignal): Promise<void> {
    if (size > MOST_PDF) return;
    const found = await this.files.bytes(this.path, signal, this.pdf?.tag);
    if (signal.aborted || !found) return;
    this.forgetDocument();
    // The type is ours, whatever the file holds: a browser renders it as a PDF document or not at all.
    const address = URL.createObjectURL(new Blob([found.bytes], { type: "application/pdf" }));
    this.pdf = { address, tag: found.tag };
  }

  // Lines

  /** Put the lines into the page. Lit would keep a template for each of thousands. */
  private draw(): void {
    const host = this.querySelector<HTMLElement>(".code");
    if (!host) return;
    const what = `${this.path} ${this.loads} ${this.tokens ? "coloured" : "plain"}`;
    const fresh = what !== this.drawn || host.childElementCount === 0;
    if (fresh) {
      const { scrollTop, scrollLeft } = host;
      host.replaceChildren(...this.blocks());
      host.scrollTo(scrollLeft, scrollTop);
      this.drawn = what;
    }
    this.markLine(host);
  }

  private blocks(): HTMLElement[] {
    const { lines } = this.code;
    const blocks: HTMLElement[] = [];
    for (let begin = 0; begin < lines.length; begin += BLOCK) {
      const block = document.createElement("div");
      block.className = "code-block";
      const some = lines.slice(begin, begin + BLOCK);
      block.style.setProperty("--lines", String(some.length));
      block.append(...some.map((text, index) => lineOf(begin + index + 1, text, this.tokens?.[begin + index])));
      blocks.push(block);
    }
    return blocks;
  }

  private markLine(host: HTMLElement): void {
    host.querySelector(".code-line.chosen")?.classList.remove("chosen");
    if (this.line === undefined) {
      this.shownLine = "";
      return;
    }
    const line = host.querySelector<HTMLElement>(`[data-line="${this.line}"]`);
    line?.classList.add("chosen");
    const which = `${this.path} ${this.line}`;
    if (!line || which === this.shownLine) return;
    this.shownLine = which;
    line.scrollIntoView({ block: "center", inline: "nearest" });
    host.scrollLeft = 0;
  }

  private clicked(event: MouseEvent): void {
    const line = (event.target as HTMLElement).closest<HTMLElement>(".code-line");
    if (!line || getSelection()?.isCollapsed === false) return;
    const gutter = parseFloat(getComputedStyle(line, "::before").width);
    if (event.clientX - (event.currentTarget as HTMLElement).getBoundingClientRect().left > gutter) return;
    const number = Number(line.dataset["line"]);
    this.shownLine = `${this.path} ${number}`; // it is in view
    this.dispatchEvent(new CustomEvent("choose-line", { detail: number }));
  }
}

/** Whether it is for the browser's PDF viewer. A small PDF document may have nothing but text in it. */
function isDocument({ mimeType }: Preview): boolean {
  return mimeType === "application/pdf";
}

/** A line of code. Tokens become text, never markup. */
function lineOf(number: number, text: string, tokens: readonly Token[] | undefined): HTMLElement {
  const line = document.createElement("div");
  line.className = "code-line";
  line.dataset["line"] = String(number);
  const content = document.createElement("span");
  content.className = "code-text";
  if (tokens) {
    for (const [kind, part] of tokens) {
      if (kind === "") content.append(part);
      else {
        const span = document.createElement("span");
        span.className = kind;
        span.textContent = part;
        content.append(span);
      }
    }
  } else content.textContent = text;
  content.append("\n"); // so that a selection has line ends
  line.append(content);
  return line;
}

declare global {
  interface HTMLElementTagNameMap {
    "vt-file-preview": FilePreview;
  }
}
