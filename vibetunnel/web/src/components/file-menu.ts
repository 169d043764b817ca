/** The menu of one file or folder, beside the button that opened it. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import type { FileApi, FileEntry } from "../file-api.js";
import { baseName } from "../file-paths.js";
import { copy, download, newFolder, toTerminal, upload } from "./file-icons.js";
import { folder } from "./icons.js";
import { PlainElement } from "./plain-element.js";

export interface FileAction {
  readonly action: "enter" | "insert" | "copy" | "upload" | "upload-folder" | "make";
  readonly path: string;
}

const WIDTH = 240; // CSS pixels, as all lengths here
const MARGIN = 8;

/** Dispatches `file-action` (detail: FileAction). */
@customElement("vt-file-menu")
export class FileMenu extends PlainElement {
  @property({ attribute: false }) writable = false;
  @property({ attribute: false }) inserts = false;
  @state() private path = "";
  @state() private kind: FileEntry["type"] = "file";
  @query("[popover]") private menu!: HTMLElement;

  private files: FileApi | undefined;
  private opener: HTMLElement | undefined;

  /** Open it for a path. */
  open(path: string, kind: FileEntry["type"], button: HTMLElement, files: FileApi): void {
    this.path = path;
    this.kind = kind;
    this.files = files;
    this.opener = button;
    void this.updateComplete.then(() => {
      this.menu.showPopover();
      this.put(button.getBoundingClientRect());
      this.items[0]?.focus();
    });
  }

  protected override render(): TemplateResult {
    const { path, kind, files } = this;
    const isFolder = kind === "directory";
    return html`<div
      id="file-menu"
      class="dropdown file-menu"
      popover
      role="menu"
      aria-label=${baseName(path)}
      data-testid="file-menu"
      @keydown=${this.key}
    >
      ${isFolder ? this.item("enter", folder, "Open as the top folder") : nothing}
      ${this.inserts ? this.item("insert", toTerminal, "Insert path into the terminal") : nothing}
      ${this.item("copy", copy, "Copy path")}
      ${
        kind === "other" || !files
          ? nothing
          : html`<a
              role="menuitem"
              href=${isFolder ? files.archiveUrl(path) : files.rawUrl(path)}
              download=${isFolder ? `${baseName(path)}.zip` : baseName(path)}
              data-testid="menu-download"
              @click=${() => this.menu.hidePopover()}
              >${download}${isFolder ? "Download as ZIP" : "Download"}</a
            >`
      }
      ${
        isFolder && this.writable
          ? html`${this.item("upload", upload, "Upload files here…")} ${this.item("upload-folder", upload, "Upload a folder here…")}
            ${this.item("make", newFolder, "New folder here…")}`
          : nothing
      }
    </div>`;
  }

  private item(action: FileAction["action"], icon: TemplateResult, words: string): TemplateResult {
    return html`<button role="menuitem" data-testid="menu-${action}" @click=${() => this.choose(action)}>
      ${icon}${words}
    </button>`;
  }

  private choose(action: FileAction["action"]): void {
    this.menu.hidePopover();
    this.dispatchEvent(new CustomEvent<FileAction>("file-action", { detail: { action, path: this.path } }));
  }

  private get items(): readonly HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>("[role=menuitem]")];
  }

  /** Below the button, or above it where there is no room. */
  private put({ top, bottom, right }: DOMRect): void {
    const { style, offsetHeight } = this.menu;
    const left = Math.max(MARGIN, Math.min(right, innerWidth - MARGIN) - WIDTH);
    const below = bottom + offsetHeight + MARGIN <= innerHeight;
    const at = below ? bottom : Math.max(MARGIN, top - offsetHeight);
    Object.assign(style, { top: `${at}px`, left: `${left}px`, width: `${WIDTH}px` });
  }

  private key(event: KeyboardEvent): void {
    const { items } = this;
    const index = items.indexOf(document.activeElement as HTMLElement);
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) items.at((index + step) % items.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") this.leave();
    else return;
    event.preventDefault();
    event.stopPropagation(); // Escape closes the menu only
  }

  /** Close it, and go back to the tree, whose keys work at once. */
  private leave(): void {
    this.menu.hidePopover();
    this.opener?.closest<HTMLElement>("[tabindex='0']")?.focus();
  }
}
