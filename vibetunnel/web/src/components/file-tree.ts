/** A folder as a tree: opens folders lazily, draws only the rows in view, and is operated by mouse, finger or keys. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import type { FileEntry } from "../file-api.js";
import { type Row, type SortKey, changed, fileSize, inView, reordered } from "../file-listing.js";
import type { FileTree } from "../file-tree-model.js";
import { above, readable } from "../file-paths.js";
import { chevron, file, more, picture } from "./file-icons.js";
import { folder } from "./icons.js";
import { PlainElement } from "./plain-element.js";

const ROW = 26; // CSS pixels
const ROW_COARSE = 44;
const PICTURE = /\.(png|jpe?g|gif|webp|bmp|avif|ico|svg)$/i;
const TITLES = { M: "modified", A: "added", D: "deleted", U: "untracked", "•": "has changes" } as const;

export interface MenuOrder {
  readonly row: Row;
  readonly button: HTMLElement;
}

/**
 * Dispatches `open-file` (detail: the path), `enter-folder` (detail: the path), `file-menu` (detail: MenuOrder) and
 * `leave-tree`, for Escape.
 */
@customElement("vt-file-tree")
export class FileTreeView extends PlainElement {
  @property({ attribute: false }) tree!: FileTree;
  /** Changes whenever the tree has. */
  @property({ attribute: false }) version = 0;
  /** The file that is open. */
  @property({ attribute: false }) shown = "";
  @state() private active = ""; // path of the row with the keys' focus
  @state() private top = 0;
  @state() private height = 600;
  @query(".tree-rows") private scroller!: HTMLElement | null;
  @query(".filter-field") private field!: HTMLInputElement | null;

  private readonly coarse = matchMedia("(pointer: coarse)");
  private readonly observer = new ResizeObserver(([entry]) => (this.height = entry?.contentRect.height ?? this.height));
  private root = ""; // the folder that is drawn
  private wanted: string | undefined; // path of a row to bring into view

  override focus(): void {
    this.scroller?.focus();
  }

  /** Bring a path's row into view, and give it the keys' focus. */
  show(path: string): void {
    this.active = path;
    this.wanted = path;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.observer.disconnect();
  }

  protected override firstUpdated(): void {
    if (this.scroller) this.observer.observe(this.scroller);
  }

  protected override willUpdate(changes: PropertyValues<this>): void {
    if (changes.has("shown") && this.shown !== "") this.show(this.shown);
  }

  protected override updated(): void {
    if (this.tree.root !== this.root && this.scroller) {
      this.root = this.tree.root;
      this.scroller.scrollTop = 0;
    }
    if (this.wanted === undefined || !this.scroller) return;
    const index = this.rows.findIndex(({ path, entry }) => entry && path === this.wanted);
    if (index < 0) return;
    this.wanted = undefined;
    const [begin, end] = [index * this.rowHeight, (index + 1) * this.rowHeight];
    const { scroller } = this;
    if (begin < scroller.scrollTop) scroller.scrollTop = begin;
    else if (end > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = end - scroller.clientHeight;
  }

  private get rowHeight(): number {
    return this.coarse.matches ? ROW_COARSE : ROW;
  }

  private get rows(): readonly Row[] {
    return this.tree.rows;
  }

  protected override render(): TemplateResult {
    const { rows, rowHeight, tree } = this;
    const [begin, end] = inView(rows.length, rowHeight, this.top, this.height);
    const activeIndex = rows.findIndex(({ path, entry }) => entry && path === this.active);
    return html`<div class="tree">
      <div class="filter">
        <input
          class="filter-field"
          type="search"
          placeholder="Filter"
          aria-label="Filter by name"
          autocomplete="off"
          autocapitalize="off"
          spellcheck="false"
          data-testid="files-filter"
          .value=${tree.filter}
          @input=${this.filtered}
          @keydown=${this.filterKey}
        />
      </div>
      <div class="tree-heads">
        ${this.head("name", "Name")} ${this.head("size", "Size")} ${this.head("modified", "Changed")}
      </div>
      <div
        class="tree-rows"
        role="tree"
        tabindex="0"
        aria-label="Files in ${tree.root}"
        aria-busy=${tree.loading}
        aria-activedescendant=${activeIndex >= begin && activeIndex < end ? `file-row-${activeIndex}` : nothing}
        data-testid="files-tree"
        @keydown=${this.key}
        @focus=${this.focused}
        @scroll=${(event: Event) => (this.top = (event.currentTarget as HTMLElement).scrollTop)}
      >
        <div class="tree-space" .style=${`height: ${rows.length * rowHeight}px`}>
          ${repeat(
            rows.slice(begin, end),
            ({ path, entry }) => (entry ? path : `${path}/ remark`),
            (row, index) => this.row(row, begin + index),
          )}
        </div>
      </div>
    </div>`;
  }

  private head(key: SortKey, words: string): TemplateResult {
    const { order } = this.tree;
    const sorts = order.key === key;
    return html`<button
      class="tree-head ${key}"
      aria-label="Sort by ${words.toLowerCase()}${sorts ? (order.descending ? ", now descending" : ", now ascending") : ""}"
      aria-pressed=${sorts}
      data-testid="files-sort-${key}"
      @click=${() => this.sort(key)}
    >
      ${words}${sorts ? html`<span class="arrow" aria-hidden="true">${order.descending ? "↓" : "↑"}</span>` : nothing}
    </button>`;
  }

  private row(row: Row, index: number): TemplateResult {
    const { entry, path, level } = row;
    const place = `top: ${index * this.rowHeight}px; --level: ${level}`;
    if (!entry) return html`<p class="tree-row remark" .style=${place} title=${row.remark}>${row.remark}</p>`;
    const mark = this.tree.mark(path);
    const isFolder = entry.type === "directory";
    return html`<div
      id="file-row-${index}"
      class="tree-row ${entry.type} ${mark ? `mark-${markName(mark)}` : ""} ${path === this.active ? "active" : ""} ${
        path === this.shown ? "shown" : ""
      } ${entry.name.startsWith(".") ? "dotted" : ""}"
      role="treeitem"
      .style=${place}
      aria-level=${level}
      aria-posinset=${row.position}
      aria-setsize=${row.count}
      aria-selected=${path === this.shown}
      aria-expanded=${isFolder ? row.open : nothing}
      aria-label=${described(entry, mark)}
      title=${titleOf(entry)}
      data-testid="file-row"
      data-path=${path}
      @click=${() => this.choose(row)}
      @dblclick=${() => this.enter(row)}
      @contextmenu=${(event: MouseEvent) => this.menu(event, row)}
    >
      <span class="twist ${row.open ? "open" : ""}">${isFolder ? chevron : nothing}</span>
      ${isFolder ? folder : PICTURE.test(entry.name) ? picture : file}
      <span class="name"><bdi>${readable(entry.name)}</bdi>${entry.isSymlink ? html`<span class="link">↗</span>` : nothing}</span>
      ${mark ? html`<span class="mark-letter">${mark}</span>` : nothing}
      <span class="size">${entry.type === "file" ? fileSize(entry.size) : ""}</span>
      <span class="modified">${changed(entry.modified, Date.now())}</span>
      <button
        class="quiet-button row-menu"
        tabindex="-1"
        aria-label="Actions for ${readable(entry.name)}"
        data-testid="file-menu-open"
        @click=${(event: MouseEvent) => this.menu(event, row)}
        @dblclick=${(event: MouseEvent) => event.stopPropagation()}
      >
        ${more}
      </button>
    </div>`;
  }

  private choose(row: Row): void {
    this.active = row.path;
    if (row.entry?.type === "directory") this.tree.toggle(row.path);
    else if (row.entry?.type === "file") this.tell("open-file", row.path);
  }

  private enter(row: Row): void {
    if (row.entry?.type === "directory") this.tell("enter-folder", row.path);
  }

  private menu(event: MouseEvent, row: Row): void {
    event.preventDefault();
    event.stopPropagation();
    this.active = row.path;
    this.openMenu(row, event.currentTarget as HTMLElement);
  }

  private openMenu(row: Row, at: HTMLElement): void {
    const button = at.matches(".row-menu") ? at : (at.querySelector<HTMLElement>(".row-menu") ?? at);
    this.dispatchEvent(new CustomEvent<MenuOrder>("file-menu", { detail: { row, button } }));
  }

  private tell(name: "open-file" | "enter-folder", path: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail: path }));
  }

  private sort(key: SortKey): void {
    this.tree.order = reordered(this.tree.order, key);
    this.requestUpdate();
    this.dispatchEvent(new Event("sorted"));
  }

  // Keys

  private focused(): void {
    const { rows } = this;
    if (rows.some(({ path, entry }) => entry && path === this.active)) return;
    this.active = rows.find(({ entry }) => entry)?.path ?? "";
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || (event.altKey && event.key !== "ArrowUp")) return;
    if (!this.pressed(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Returns whether the key is one of ours. */
  private pressed(event: KeyboardEvent): boolean {
    const { rows } = this;
    const index = rows.findIndex(({ path, entry }) => entry && path === this.active);
    const row = rows[index];
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 1);
    switch (event.key) {
      case "ArrowDown":
        return this.move(index, 1);
      case "ArrowUp":
        if (event.altKey) return this.up();
        return this.move(index, -1);
      case "PageDown":
        return this.move(index, page);
      case "PageUp":
        return this.move(index, -page);
      case "Home":
        return this.move(-1, 1);
      case "End":
        return this.move(rows.length, -1);
      case "ArrowRight":
        if (row?.entry?.type !== "directory") return true;
        if (row.open) return this.move(index, 1);
        this.tree.toggle(row.path);
        return true;
      case "ArrowLeft":
        if (row?.open) this.tree.toggle(row.path);
        else if (row && row.level > 1) this.show(above(row.path));
        return true;
      case "Enter":
      case " ":
        if (row) this.choose(row);
        return true;
      case "Backspace":
        return this.up();
      case "Escape":
        if (this.tree.filter === "") this.dispatchEvent(new Event("leave-tree"));
        else this.filterBy("");
        return true;
      case "ContextMenu":
      case "F10":
        if (event.key === "F10" && !event.shiftKey) return false;
        if (row) this.openMenu(row, this.querySelector<HTMLElement>(`#file-row-${index}`) ?? this);
        return true;
      default:
        if ([...event.key].length !== 1) return false;
        this.filterBy(this.tree.filter + event.key);
        this.field?.focus();
        return true;
    }
  }

  /** Move to the next row with an entry. */
  private move(from: number, by: number): true {
    const { rows } = this;
    const step = Math.sign(by);
    let index = Math.min(rows.length - 1, Math.max(0, from + by));
    while (rows[index] && !rows[index]?.entry) index += step;
    const row = rows[index];
    if (row) this.show(row.path);
    return true;
  }

  private up(): true {
    if (this.tree.root !== this.tree.serverRoot) this.tell("enter-folder", above(this.tree.root));
    return true;
  }

  private filtered(event: Event): void {
    this.filterBy((event.currentTarget as HTMLInputElement).value);
  }

  private filterBy(text: string): void {
    this.tree.filter = text;
    this.active = this.firstMatch() ?? "";
    this.requestUpdate();
  }

  private firstMatch(): string | undefined {
    const wanted = this.tree.filter.toLowerCase();
    return this.rows.find(({ entry }) => entry?.name.toLowerCase().includes(wanted))?.path;
  }

  private filterKey(event: KeyboardEvent): void {
    const { key } = event;
    const row = this.rows.find(({ path }) => path === this.active);
    if (key === "ArrowDown") this.focus();
    else if (key === "Enter" && row) this.choose(row);
    else if (key === "Escape" && this.tree.filter !== "") this.filterBy("");
    else if (key === "Escape") this.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function markName(mark: keyof typeof TITLES): string {
  return mark === "•" ? "inside" : mark;
}

function described(entry: FileEntry, mark: keyof typeof TITLES | undefined): string {
  const kind = entry.type === "directory" ? "folder" : entry.type === "file" ? fileSize(entry.size) : "cannot be opened";
  return [readable(entry.name), kind, `changed ${changed(entry.modified, Date.now())}`, mark ? TITLES[mark] : ""]
    .filter((part) => part !== "")
    .join(", ");
}

function titleOf(entry: FileEntry): string {
  const when = new Date(entry.modified).toLocaleString();
  const size = entry.type === "file" ? `\n${entry.size.toLocaleString()} bytes` : "";
  return `${readable(entry.name)}${size}\nChanged ${when}${entry.isSymlink ? "\nA link" : ""}`;
}

declare global {
  interface HTMLElementTagNameMap {
    "vt-file-tree": FileTreeView;
  }
}
