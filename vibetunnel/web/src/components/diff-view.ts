/** The diff of one file, in one column or with both versions side by side. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { type Api, messageOf } from "../api.js";
import { describe, isPicture, kindOf, lines, split } from "../changes.js";
import { type DiffGap, type DiffLine, type DiffPair, type DiffRemark, type DiffRow, paired, rowsOf, textsOf, withWordMarks } from "../diff-rows.js";
import { FileApi } from "../file-api.js";
import { readable } from "../file-paths.js";
import { type ChangedFile, type FileDiff, GitApi } from "../git-api.js";
import { prefer, preference } from "../preferences.js";
import type { Range } from "../word-marks.js";
import { file as fileIcon } from "./file-icons.js";
import { sideBySide, unfold } from "./git-icons.js";
import { back } from "./icons.js";
import { PlainElement } from "./plain-element.js";

const SIDE_BY_SIDE = "diff.side-by-side";
const LARGE = 2000; // rows: a diff with more is shown only if the user asks for it, and has no marks
const MORE = 5000; // rows that are then shown at once
const LONGEST = 2000; // characters of a line that are shown
const SPLIT = 900; // CSS pixels: both versions fit beside each other

/** Dispatches `open-line` (detail: the number of a line, or undefined), `leave` and `step` (detail: 1 or -1). */
@customElement("vt-diff")
export class DiffView extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) repository = "";
  @property({ attribute: false }) file!: ChangedFile;
  /** Changes when the file may have changed. */
  @property({ attribute: false }) turn = 0;
  @property({ attribute: false }) opens = true;

  @state() private diff: FileDiff | undefined;
  @state() private texts: ReadonlyMap<number, string> = new Map();
  @state() private opened: ReadonlySet<number> = new Set();
  @state() private shown = LARGE; // rows
  @state() private error = "";
  @state() private split = preference(SIDE_BY_SIDE) === "1";
  @state() private wide = false;

  private rows: readonly DiffRow[] = []; // of the diff
  private asked = 0;
  private readonly watcher = new ResizeObserver(([entry]) => (this.wide = (entry?.contentRect.width ?? 0) >= SPLIT));

  override connectedCallback(): void {
    super.connectedCallback();
    this.watcher.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.watcher.disconnect();
    this.asked += 1;
  }

  protected override willUpdate(changed: PropertyValues): void {
    const before = changed.get("file") as ChangedFile | undefined;
    const another = changed.has("repository") || (changed.has("file") && before?.path !== this.file.path);
    if (another) {
      this.diff = undefined;
      this.error = "";
      this.shown = LARGE;
    }
    if (another || changed.has("turn")) void this.load();
    if (changed.has("diff") || changed.has("opened") || changed.has("texts")) {
      const rows = this.diff ? rowsOf(this.diff, this.opened, this.texts) : [];
      this.rows = rows.length > LARGE ? rows : withWordMarks(rows);
    }
  }

  protected override render(): TemplateResult {
    const { file } = this;
    const { folder, name } = split(file.path);
    return html`<article class="diff-view" aria-label="Changes of ${readable(file.path)}" data-testid="diff" data-path=${file.path}>
      <header class="diff-bar">
        <button class="quiet-button diff-back" aria-label="All changed files" title="All changed files" data-testid="diff-back"
          @click=${() => this.tell("leave")}>${back}</button>
        <h2 title=${readable(file.path)}><span class="folder"><bdi>${readable(folder)}</bdi></span><bdi class="name">${readable(name)}</bdi></h2>
        <span class="quiet kind" data-testid="diff-kind">${describe(file)}</span>
        <span class="tools">
          ${
            this.wide
              ? html`<button
                  class="quiet-button"
                  aria-label="Side by side"
                  title="Side by side"
                  aria-pressed=${this.split}
                  data-testid="diff-split"
                  @click=${this.toggleSplit}
                >
                  ${sideBySide}
                </button>`
              : nothing
          }
          ${
            this.opens && !file.path.endsWith("/")
              ? html`<button
                  class="quiet-button"
                  aria-label="Open the file"
                  title="Open the file"
                  data-testid="diff-open"
                  @click=${() => this.tell("open-line", this.firstChanged)}
                >
                  ${fileIcon}
                </button>`
              : nothing
          }
        </span>
      </header>
      ${this.error === "" ? nothing : html`<p class="problem" role="alert" data-testid="error">${this.error}</p>`}
      <div class="diff-body ${this.opens ? "opens" : ""}" @click=${this.clicked}>${this.body()}</div>
    </article>`;
  }

  private body(): TemplateResult | typeof nothing {
    const { diff, file, rows } = this;
    if (file.path.endsWith("/")) {
      return said("A folder that git does not track.", "It is a repository of its own, or has very many files.");
    }
    if (!diff) return nothing;
    if (diff.isTooBig) return said("This file is too long to compare.", "It has more than 2 MiB.");
    if (diff.isBinary) return this.binary(diff);
    if (rows.length === 0) {
      const empty = file.staged === "added" || file.unstaged === "untracked";
      return file.staged === "renamed"
        ? said("No line has changed.", `It was ${file.previousPath ?? "another file"} before.`)
        : said(empty ? "An empty file." : "No line has changed.", empty ? "" : "Perhaps only its mode has.");
    }
    if (rows.length > LARGE && this.shown === LARGE) {
      return said(
        "A large diff.",
        `It has ${lines(rows.length)}.`,
        html`<button class="button" data-testid="diff-anyway" @click=${() => (this.shown = MORE)}>Show anyway</button>`,
      );
    }
    return this.split && this.wide ? this.twoColumns(rows) : this.oneColumn(rows);
  }

  private binary(diff: FileDiff): TemplateResult {
    const { path } = this.file;
    if (!isPicture(path) || diff.isDeleted) return said("A binary file.", "It is not shown here.");
    const address = new FileApi(this.api).rawUrl(`${this.repository}/${path}`);
    return html`<figure class="diff-picture">
      <img src="${address}#${this.turn}" alt=${path} data-testid="diff-picture" />
      <figcaption class="quiet">${kindOf(this.file) === "modified" ? "The picture now." : "A new picture."}</figcaption>
    </figure>`;
  }

  private oneColumn(rows: readonly DiffRow[]): TemplateResult {
    return html`<table class="diff-table" aria-label="Changed lines">
        <tbody>
          ${rows.slice(0, this.shown).map((row) => {
            if (row.kind === "gap") return this.gap(row, 3);
            if (row.kind === "remark") return remark(row, 3);
            return html`<tr class=${CLASSES[row.sign]}>
              <td class="number old">${row.before ?? ""}</td>
              ${number(row.after, row.before)} ${text(row)}
            </tr>`;
          })}
        </tbody>
      </table>
      ${this.rest(rows.length)}`;
  }

  private twoColumns(rows: readonly DiffRow[]): TemplateResult {
    const pairs = paired(rows);
    return html`<table class="diff-table two" aria-label="Changed lines, before and now">
        <colgroup>
          <col class="number" />
          <col />
          <col class="number" />
          <col />
        </colgroup>
        <tbody>
          ${pairs.slice(0, this.shown).map((row) => {
            if (row.kind === "gap") return this.gap(row, 4);
            if (row.kind === "remark") return remark(row, 4);
            return pair(row);
          })}
        </tbody>
      </table>
      ${this.rest(pairs.length)}`;
  }

  private gap({ from, count }: DiffGap, columns: number): TemplateResult {
    return html`<tr class="gap">
      <td colspan=${columns}>
        <button data-gap=${from} data-testid="diff-gap" title="Show these lines">
          ${unfold}${lines(count)} unchanged
        </button>
      </td>
    </tr>`;
  }

  private rest(count: number): TemplateResult | typeof nothing {
    if (count <= this.shown) return nothing;
    const next = Math.min(MORE, count - this.shown);
    return html`<p class="diff-rest">
      <button class="button" data-testid="diff-more" @click=${() => (this.shown += MORE)}>
        Show ${lines(next)} more of ${lines(count)}
      </button>
    </p>`;
  }

  /** The line at which the file is opened. */
  private get firstChanged(): number | undefined {
    const { rows } = this;
    const at = rows.findIndex((row) => row.kind === "line" && row.sign !== " ");
    const row = rows.slice(Math.max(at, 0)).find((each) => each.kind === "line" && each.after !== undefined);
    return row?.kind === "line" ? row.after : undefined;
  }

  /** Fetch the diff. What is shown stays until it is here. */
  private async load(): Promise<void> {
    const asked = ++this.asked;
    const { file } = this;
    if (file.path.endsWith("/")) return;
    try {
      const found = await new GitApi(this.api).diff(this.repository, file);
      if (asked !== this.asked) return;
      if (JSON.stringify(found) !== JSON.stringify(this.diff)) {
        this.diff = found;
        this.opened = new Set(); // the numbers are others now
      }
      this.error = "";
    } catch (error) {
      if (asked === this.asked) this.error = messageOf(error);
    }
  }

  private clicked(event: Event): void {
    const { gap, line } = (event.target as Element).closest<HTMLElement>("[data-gap], [data-line]")?.dataset ?? {};
    if (gap) void this.open(Number(gap));
    if (line && this.opens) this.tell("open-line", Number(line));
  }

  /** Show the lines of a gap. */
  private async open(from: number): Promise<void> {
    const asked = this.asked;
    try {
      const whole = await new GitApi(this.api).diff(this.repository, this.file, { whole: true });
      if (asked !== this.asked) return;
      this.texts = textsOf(whole);
      this.opened = new Set([...this.opened, from]);
    } catch (error) {
      if (asked === this.asked) this.error = messageOf(error);
    }
  }

  private toggleSplit(): void {
    this.split = !this.split;
    prefer(SIDE_BY_SIDE, this.split ? "1" : "0");
  }

  private tell(type: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

const CLASSES = { " ": "same", "+": "added", "-": "removed" } as const;
const SIGNS = { " ": "", "+": "+", "-": "−" } as const;

/** The number of a line now; if it has none, and only one column is shown, that in the last commit. */
function number(after: number | undefined, before?: number): TemplateResult {
  return html`<td class="number new" data-line=${after ?? nothing}>
    ${after ?? (before === undefined ? nothing : html`<span class="only-old">${before}</span>`)}
  </td>`;
}

function text(line: DiffLine): TemplateResult {
  return html`<td class="text"><span class="sign">${SIGNS[line.sign]}</span>${marked(line.text, line.marks)}</td>`;
}

function pair({ left, right }: DiffPair): TemplateResult {
  const side = (line: DiffLine | undefined, count: number | undefined, now: boolean): TemplateResult => {
    if (!line) return html`<td class="number void"></td><td class="text void"></td>`;
    const tone = CLASSES[line.sign];
    return html`<td class="number ${tone}" data-line=${now ? (count ?? nothing) : nothing}>${count}</td>
      <td class="text ${tone}"><span class="sign">${SIGNS[line.sign]}</span>${marked(line.text, line.marks)}</td>`;
  };
  return html`<tr>${side(left, left?.before, false)}${side(right, right?.after, true)}</tr>`;
}

function remark({ text: words }: DiffRemark, columns: number): TemplateResult {
  return html`<tr class="remark"><td colspan=${columns}>${words}</td></tr>`;
}

/** A line's text, with the words that differ. A very long line is cut. */
function marked(whole: string, marks: readonly Range[]): unknown {
  if (whole.length > LONGEST) {
    const left = (whole.length - LONGEST).toLocaleString("en");
    return html`${whole.slice(0, LONGEST)}<em class="cut">… ${left} more characters</em>`;
  }
  if (marks.length === 0) return whole;
  const parts: unknown[] = [];
  let place = 0;
  for (const [from, to] of marks) {
    parts.push(whole.slice(place, from), html`<mark>${whole.slice(from, to)}</mark>`);
    place = to;
  }
  return [...parts, whole.slice(place)];
}

function said(heading: string, words: string, action: TemplateResult | typeof nothing = nothing): TemplateResult {
  return html`<div class="diff-said" data-testid="diff-said">
    <p><strong>${heading}</strong> ${words}</p>
    ${action}
  </div>`;
}
