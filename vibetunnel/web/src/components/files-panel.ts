/** Files: a tree beside a preview, or one at a time where it is narrow. For a terminal's side, and for a page of its own. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import { type Api, ApiError, messageOf } from "../api.js";
import { href } from "../base.js";
import { copyText } from "../clipboard.js";
import { bringsFiles, chosenIn, dropped, type Dropped } from "../dropped.js";
import { filesPath } from "../file-address.js";
import { FileApi, type Preview } from "../file-api.js";
import { type Order, type SortKey, BY_NAME } from "../file-listing.js";
import { above, baseName, crumbs, join, readable, shellWords, within } from "../file-paths.js";
import { FileTree } from "../file-tree-model.js";
import { prefer, preference } from "../preferences.js";
import { changesPath } from "../router.js";
import { uploadsOf } from "../tab-uploads.js";
import type { Uploads } from "../uploads.js";
import "./file-menu.js";
import type { FileAction, FileMenu } from "./file-menu.js";
import * as icons from "./file-icons.js";
import type { FilePreview } from "./file-preview.js";
import "./file-preview.js";
import { type FileTreeView, type MenuOrder } from "./file-tree.js";
import "./file-tree.js";
import "./folder-dialog.js";
import { back, cross } from "./icons.js";
import { PlainElement } from "./plain-element.js";
import "./upload-report.js";
import "../styles/files.css";

const COPIED_MS = 2_000; // how long the button says that it has copied

export interface Place {
  readonly path: string;
  readonly line?: number | undefined;
  /** Not the files are wanted, but what has changed in the folder's repository. */
  readonly changes?: boolean;
}

/**
 * Dispatches `moved` (detail: Place, of a file or of a folder, whose path ends with "/"), `insert-text` (detail: text
 * for the terminal) and `closed`.
 */
@customElement("vt-files-panel")
export class FilesPanel extends PlainElement {
  @property({ attribute: false }) api!: Api;
  /** What to show: a file, a folder, or "" for the first root. */
  @property({ attribute: false }) place: Place = { path: "" };
  /** The folder of the terminal beside it; undefined: there is no terminal. */
  @property({ attribute: false }) folder: string | undefined;
  /** Whether what is inserted into the terminal arrives. */
  @property({ attribute: false }) inserts = false;
  /** Whether it is a page of its own. */
  @property({ attribute: false }) page = false;
  /** Whether this user may look at repositories. */
  @property({ attribute: false }) git = false;

  @state() private version = 0; // changes with the tree and the uploads
  @state() private file = ""; // path of the file that is open
  @state() private kind: Preview["type"] = "binary"; // of that file
  @state() private line: number | undefined;
  @state() private turn = 0; // of the preview
  @state() private tab: "files" | "changes" = "files";
  @state() private wraps = preference("files.wrap") === "1";
  @state() private dragged = false; // files are held over the panel
  @state() private making = ""; // folder in which a new one is about to be made
  @state() private notice = "";
  @state() private copied = "";
  @query("vt-file-tree") private view!: FileTreeView | null;
  @query("vt-file-preview") private filePreview!: FilePreview | null;
  @query("vt-file-menu") private fileMenu!: FileMenu | null;
  @query(".upload-files") private field!: HTMLInputElement | null;
  @query(".upload-folder") private folderField!: HTMLInputElement | null;

  private files!: FileApi;
  private tree!: FileTree;
  private uploads!: Uploads;
  private uploadInto = "";
  private copiedTimer: ReturnType<typeof setTimeout> | undefined;
  private focusing = false; // as soon as there is a tree
  private asked: Place | undefined; // the place that is shown already, or on its way
  private leaving = new AbortController();

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.hasUpdated) this.begin();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    document.addEventListener("visibilitychange", () => this.returned(), { signal });
    window.addEventListener("online", () => this.returned(), { signal });
    this.uploads.addEventListener("change", () => this.version++, { signal });
    this.uploads.addEventListener("stored", () => void this.tree.refresh(), { signal });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    clearTimeout(this.copiedTimer);
  }

  override focus(): void {
    this.focusing = false;
    if (this.tab === "changes") this.querySelector<HTMLElement>("vt-changes")?.focus();
    else if (this.file !== "" && this.narrow) this.querySelector<HTMLElement>(".preview-back")?.focus();
    else if (this.view) this.view.focus();
    else this.focusing = true;
  }

  protected override updated(): void {
    if (this.focusing && this.view) void this.view.updateComplete.then(() => this.focus());
  }

  protected override willUpdate(changes: PropertyValues<this>): void {
    if (changes.has("place")) void this.go(this.place);
  }

  private begin(): void {
    this.files = new FileApi(this.api);
    this.tree = new FileTree(this.files, () => this.version++, preference("files.hidden") === "1");
    this.tree.order = keptOrder();
    this.uploads = uploadsOf(this.api);
  }

  protected override render(): TemplateResult {
    const { tree } = this;
    return html`<section
      class="files ${this.file === "" ? "" : "with-file"} ${this.dragged ? "dragged" : ""}"
      aria-label="Files"
      data-testid="files"
      @dragover=${this.dragOver}
      @dragleave=${this.dragLeft}
      @drop=${this.drop}
    >
      ${this.head()}
      ${this.tab === "changes" ? this.changes() : nothing}
      <div class="files-body" ?hidden=${this.tab !== "files"}>
        <div class="files-list">
          ${this.bar()}
          ${tree.error === "" ? nothing : html`<p class="files-notice error" role="alert" data-testid="files-error">${tree.error}</p>`}
          ${this.notice === "" ? nothing : html`<p class="files-notice error" role="alert" data-testid="error">${this.notice}</p>`}
          ${
            tree.root === ""
              ? html`<p class="files-notice quiet">${tree.loading ? "Loading…" : ""}</p>`
              : html`<vt-file-tree
                  .tree=${tree}
                  .version=${this.version}
                  .shown=${this.file}
                  @open-file=${(event: CustomEvent<string>) => this.open(event.detail)}
                  @enter-folder=${(event: CustomEvent<string>) => this.enter(event.detail)}
                  @file-menu=${(event: CustomEvent<MenuOrder>) => this.openMenu(event.detail)}
                  @sorted=${() => keepOrder(this.tree.order)}
                  @leave-tree=${() => this.close()}
                ></vt-file-tree>`
          }
          <vt-upload-report
            .progress=${this.uploads.progress}
            @cancel-uploads=${() => this.uploads.cancel()}
            @retry-uploads=${() => this.uploads.retry()}
            @dismiss-uploads=${() => this.uploads.dismiss()}
          ></vt-upload-report>
        </div>
        <div class="files-preview" @keydown=${this.previewKey}>${this.file === "" ? this.nothingOpen() : this.preview()}</div>
      </div>
      <input class="upload-files" type="file" multiple hidden data-testid="upload-files" @change=${this.choseFiles} />
      <input class="upload-folder" type="file" webkitdirectory hidden data-testid="upload-folder" @change=${this.choseFiles} />
      <vt-file-menu .writable=${tree.writable} .inserts=${this.inserts} @file-action=${this.act}></vt-file-menu>
      ${this.dragged ? html`<p class="drop-words" aria-hidden="true">Drop to upload into ${readable(baseName(tree.root))}</p>` : nothing}
      ${
        this.making === ""
          ? nothing
          : html`<vt-folder-dialog
              .files=${this.files}
              .folder=${this.making}
              @made=${(event: CustomEvent<string>) => this.made(event.detail)}
              @closed=${() => (this.making = "")}
            ></vt-folder-dialog>`
      }
    </section>`;
  }

  private head(): TemplateResult | typeof nothing {
    if (this.page && !this.git) return nothing;
    return html`<header class="files-head">
      <div class="tabs" role="tablist" aria-label="Files and changes">
        ${this.tabButton("files", "Files")} ${this.git ? this.tabButton("changes", "Changes") : nothing}
      </div>
      ${
        this.page
          ? nothing
          : html`<a
                class="quiet-button"
                href=${href(this.address)}
                aria-label="Open as a page"
                title="Open as a page"
                data-testid="files-own-page"
                >${icons.ownPage}</a
              >
              <button
                class="quiet-button"
                aria-label="Close files"
                title="Close"
                data-testid="files-close"
                @click=${this.close}
              >
                ${cross}
              </button>`
      }
    </header>`;
  }

  private tabButton(tab: "files" | "changes", words: string): TemplateResult {
    return html`<button
      role="tab"
      aria-selected=${this.tab === tab}
      data-testid="tab-${tab}"
      @click=${() => this.turnTo(tab)}
    >
      ${words}
    </button>`;
  }

  private changes(): TemplateResult {
    return html`<vt-changes
      .api=${this.api}
      .path=${this.tree.root}
      @open-file=${(event: CustomEvent<Place>) => this.openChange(event.detail)}
    ></vt-changes>`;
  }

  /** Where the user is, and what can be done there. */
  private bar(): TemplateResult {
    const { tree } = this;
    const away = this.folder !== undefined && this.folder !== tree.root;
    return html`<div class="files-bar">
      <nav class="crumbs" aria-label="Folder">
        ${tree.roots.length > 1 ? this.rootChoice() : nothing}
        <ol>
          ${crumbs(tree.root, tree.serverRoot).map(
            ({ name, path }) => html`<li>
              <button
                class="text-button"
                aria-current=${path === tree.root ? "location" : nothing}
                title=${path}
                data-testid="crumb"
                @click=${() => this.enter(path)}
              >
                <bdi>${readable(name)}</bdi>
              </button>
            </li>`,
          )}
        </ol>
      </nav>
      <div class="files-tools">
        ${away ? this.tool(icons.here, "Go to the terminal's folder", "files-here", () => this.enter(this.folder ?? "")) : nothing}
        ${
          tree.writable
            ? html`${this.tool(icons.upload, "Upload files", "upload-open", () => this.chooseFiles(tree.root))}
              ${this.tool(icons.newFolder, "New folder", "folder-open", () => (this.making = tree.root))}`
            : nothing
        }
        ${this.toggle(icons.hiddenFiles, "Hidden files", "files-hidden", tree.showsHidden, () => this.toggleHidden())}
        ${this.tool(icons.refresh, "Refresh", "files-refresh", () => void this.refresh())}
      </div>
    </div>`;
  }

  private rootChoice(): TemplateResult {
    const { roots, serverRoot } = this.tree;
    return html`<select
      class="root-choice"
      aria-label="Root"
      data-testid="files-root"
      @change=${(event: Event) => this.enter((event.currentTarget as HTMLSelectElement).value)}
    >
      ${roots.map((root) => html`<option value=${root} ?selected=${root === serverRoot}>${root}</option>`)}
    </select>`;
  }

  private tool(icon: TemplateResult, words: string, testId: string, act: () => void): TemplateResult {
    return html`<button class="quiet-button" aria-label=${words} title=${words} data-testid=${testId} @click=${act}>
      ${icon}
    </button>`;
  }

  private toggle(icon: TemplateResult, words: string, testId: string, on: boolean, act: () => void): TemplateResult {
    return html`<button
      class="quiet-button"
      aria-label=${words}
      title=${words}
      aria-pressed=${on}
      data-testid=${testId}
      @click=${act}
    >
      ${icon}
    </button>`;
  }

  private nothingOpen(): TemplateResult {
    return html`<p class="preview-words quiet">Choose a file to see it here.</p>`;
  }

  private preview(): TemplateResult {
    const { file } = this;
    return html`<header class="preview-head">
        <button
          class="quiet-button preview-back"
          aria-label="Back to the list"
          title="Back to the list"
          data-testid="preview-back"
          @click=${this.leaveFile}
        >
          ${back}
        </button>
        <h2 title=${readable(file)} data-testid="preview-name"><bdi>${readable(baseName(file))}</bdi></h2>
        ${
          this.inserts
            ? this.tool(icons.toTerminal, "Insert path into the terminal", "insert-path", () => this.insert([file]))
            : nothing
        }
        ${
          this.copied === file
            ? this.tool(icons.done, "Copied", "copy-path", () => void this.copy(file))
            : this.tool(icons.copy, "Copy path", "copy-path", () => void this.copy(file))
        }
        ${
          this.kind === "text"
            ? this.toggle(icons.wrap, "Wrap long lines", "preview-wrap", this.wraps, () => this.toggleWrap())
            : nothing
        }
        <a
          class="quiet-button"
          href=${this.files.rawUrl(file)}
          download=${baseName(file)}
          aria-label="Download"
          title="Download"
          data-testid="download"
          >${icons.download}</a
        >
      </header>
      <vt-file-preview
        .files=${this.files}
        .path=${file}
        .line=${this.line}
        .wraps=${this.wraps}
        .turn=${this.turn}
        @previewed=${(event: CustomEvent<Preview["type"]>) => (this.kind = event.detail)}
        @choose-line=${(event: CustomEvent<number>) => this.chooseLine(event.detail)}
      ></vt-file-preview>`;
  }

  // Moving

  private get narrow(): boolean {
    return this.querySelector(".files-list")?.checkVisibility() === false;
  }

  /** The address of what is shown. */
  private get address(): string {
    if (this.tab === "changes") return changesPath(this.tree.root);
    return this.file === "" ? filesPath(join(this.tree.root, "")) : filesPath(this.file, this.line);
  }

  /** Show a place that came from outside: the address, a link, the terminal. */
  private async go(place: Place): Promise<void> {
    // A page gets its own moves back from the address. Beside a terminal each place is a new request.
    if (this.page && place.path === this.asked?.path && place.line === this.asked.line) return;
    this.asked = place;
    this.turnTo(place.changes && this.git ? "changes" : "files");
    const isFile = place.path !== "" && !place.path.endsWith("/") && (await this.isFile(place.path));
    if (this.asked !== place) return;
    if (isFile) {
      this.file = place.path;
      this.line = place.line;
      this.turn += 1;
      this.filePreview?.showLine();
      const { root } = this.tree;
      if (root === "" || !within(place.path, root)) await this.tree.enter(above(place.path));
      else await this.tree.reveal(place.path);
      this.view?.show(place.path);
      return;
    }
    this.file = "";
    const folder = place.path.replace(/(?<=.)\/+$/, "") || ".";
    if (folder === this.tree.root) return;
    const entered = await this.tree.enter(folder);
    if (!entered && this.asked === place && this.tree.root === "") await this.fallBack(folder);
  }

  /** The folder that was asked for cannot be shown: show the first root below the reason. */
  private async fallBack(folder: string): Promise<void> {
    const reason = this.tree.error;
    if (await this.tree.enter(".")) this.notice = `${folder}: ${reason}`;
  }

  private async isFile(path: string): Promise<boolean> {
    try {
      return (await this.files.kind(path)) === "file";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return false; // the listing tells the reason
    }
  }

  private enter(path: string): void {
    void this.tree.enter(path).then((entered) => {
      if (!entered) return;
      this.notice = "";
      if (!this.page) return;
      this.file = "";
      this.moved(join(this.tree.root, ""));
    });
  }

  private open(path: string, line?: number): void {
    this.file = path;
    this.line = line;
    this.turn += 1;
    this.moved(path, line);
    void this.updateComplete.then(() => {
      if (this.narrow) this.focus(); // the list that had it is no longer shown
    });
  }

  private openChange({ path, line }: Place): void {
    this.tab = "files";
    this.open(path, line);
    void this.tree.reveal(path);
  }

  private moved(path: string, line?: number): void {
    const place: Place = line === undefined ? { path } : { path, line };
    this.asked = place;
    this.dispatchEvent(new CustomEvent("moved", { detail: place }));
  }

  private leaveFile(): void {
    this.file = "";
    this.moved(join(this.tree.root, ""));
    void this.updateComplete.then(() => this.view?.focus());
  }

  private chooseLine(line: number): void {
    this.line = line;
    this.moved(this.file, line);
  }

  private close(): void {
    this.dispatchEvent(new Event("closed"));
  }

  private previewKey(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (this.narrow) this.leaveFile();
    else this.view?.focus();
  }

  private turnTo(tab: "files" | "changes"): void {
    this.tab = tab;
    if (tab === "changes") import("./changes-panel.js").catch(() => (this.notice = "The changes could not be loaded."));
  }

  /** Fetch again what is shown. */
  async refresh(): Promise<void> {
    this.notice = "";
    this.turn += 1;
    await this.tree.refresh();
  }

  private returned(): void {
    if (document.visibilityState === "visible") void this.refresh();
  }

  private toggleHidden(): void {
    const hidden = !this.tree.showsHidden;
    prefer("files.hidden", hidden ? "1" : "0");
    void this.tree.showHidden(hidden);
  }

  private toggleWrap(): void {
    this.wraps = !this.wraps;
    prefer("files.wrap", this.wraps ? "1" : "0");
  }

  // What can be done with a file or a folder

  private openMenu({ row, button }: MenuOrder): void {
    if (!row.entry) return;
    this.fileMenu?.open(row.path, row.entry.type, button, this.files);
  }

  private act(event: CustomEvent<FileAction>): void {
    const { action, path } = event.detail;
    if (action === "enter") this.enter(path);
    else if (action === "insert") this.insert([path]);
    else if (action === "copy") void this.copy(path);
    else if (action === "upload") this.chooseFiles(path);
    else if (action === "upload-folder") this.chooseFiles(path, this.folderField);
    else this.making = path;
  }

  private insert(paths: readonly string[]): void {
    this.dispatchEvent(new CustomEvent("insert-text", { detail: shellWords(paths) }));
  }

  private async copy(path: string): Promise<void> {
    const copied = await copyText(path);
    this.copied = copied ? path : "";
    this.notice = copied ? "" : "This browser does not allow the page to copy.";
    clearTimeout(this.copiedTimer);
    this.copiedTimer = setTimeout(() => (this.copied = ""), COPIED_MS);
  }

  private made(name: string): void {
    const path = join(this.making, name);
    void this.tree.refresh().then(() => this.view?.show(path));
  }

  // Uploads

  private chooseFiles(into: string, field: HTMLInputElement | null = this.field): void {
    this.uploadInto = into;
    field?.click();
  }

  private choseFiles(event: Event): void {
    const field = event.currentTarget as HTMLInputElement;
    this.upload(this.uploadInto || this.tree.root, chosenIn(field));
    this.uploadInto = "";
    field.value = ""; // the same files can be chosen again
  }

  private upload(into: string, { chosen, remark }: Dropped): void {
    if (chosen.length > 0 || remark !== "") void this.uploads.add(into, chosen, remark);
    if (into !== this.tree.root) void this.tree.expand(into);
  }

  private dragOver(event: DragEvent): void {
    if (!bringsFiles(event)) return;
    event.preventDefault(); // or the browser opens a dropped file in place of this page
    if (event.dataTransfer) event.dataTransfer.dropEffect = this.tree.writable ? "copy" : "none";
    this.dragged = this.tree.writable;
  }

  private dragLeft(event: DragEvent): void {
    if (!this.contains(event.relatedTarget as Node | null)) this.dragged = false;
  }

  private drop(event: DragEvent): void {
    if (!bringsFiles(event) || !event.dataTransfer) return;
    event.preventDefault();
    event.stopPropagation();
    this.dragged = false;
    if (!this.tree.writable) return;
    const row = (event.target as HTMLElement).closest<HTMLElement>(".tree-row.directory");
    const into = row?.dataset["path"] ?? this.tree.root;
    dropped(event.dataTransfer).then(
      (found) => this.upload(into, found),
      (error: unknown) => (this.notice = `The files cannot be read: ${messageOf(error)}`),
    );
  }
}

function keptOrder(): Order {
  const [key = "", direction] = (preference("files.order") ?? "").split(" ");
  return isSortKey(key) ? { key, descending: direction === "down" } : BY_NAME;
}

function isSortKey(key: string): key is SortKey {
  return key === "name" || key === "size" || key === "modified";
}

function keepOrder({ key, descending }: Order): void {
  prefer("files.order", `${key} ${descending ? "down" : "up"}`);
}

declare global {
  interface HTMLElementTagNameMap {
    "vt-files-panel": FilesPanel;
  }
}
