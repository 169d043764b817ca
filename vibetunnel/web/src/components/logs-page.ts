/** The server's log: its newest lines, as they come. For owners. */

import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { type Api, ApiError, type LogLevel, type LogLine, messageOf } from "../api.js";
import { href } from "../base.js";
import { pageTitle } from "../format.js";
import { LEVELS, SHOWN, appended, filtered, lineTime } from "../logs.js";
import "./confirm-dialog.js";
import { back, download } from "./icons.js";
import { PlainElement } from "./plain-element.js";
import "../styles/logs.css";

const AGAIN_MS = 2000; // between two questions for new lines
const NEAR_END = 40; // CSS pixels; a reader so near the end follows
const NAMES: Readonly<Record<LogLevel, string>> = { error: "Errors", warn: "Warnings", log: "Info", debug: "Debug" };

@customElement("vt-logs-page")
export class LogsPage extends PlainElement {
  @property({ attribute: false }) api!: Api;

  @state() private lines: readonly LogLine[] | undefined; // undefined until the first answer
  @state() private levels: ReadonlySet<LogLevel> = new Set(LEVELS);
  @state() private pages = true;
  @state() private text = "";
  @state() private follows = true;
  @state() private clearing = false;
  @state() private error = "";

  @query(".log-lines") private list!: HTMLElement | null;

  private timer: ReturnType<typeof setTimeout> | undefined;
  private leaving = new AbortController();
  private asked = 0; // counts the requests: only the last one's answer is shown

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = pageTitle("Logs", undefined);
    this.leaving = new AbortController();
    document.addEventListener("visibilitychange", () => this.seen(), { signal: this.leaving.signal });
    void this.ask();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    clearTimeout(this.timer);
    this.asked += 1;
  }

  protected override render(): TemplateResult {
    const { lines } = this;
    const { levels, pages, text } = this;
    const shown = filtered(lines ?? [], { levels, pages, text });
    return html`<div class="logs">
      <header class="bar">
        <a class="quiet-button" href=${href("/")} aria-label="All sessions" title="All sessions" data-testid="back">
          ${back}
        </a>
        <h1>Logs</h1>
        <input
          class="field"
          type="search"
          placeholder="Filter"
          aria-label="Filter by text"
          data-testid="logs-filter"
          .value=${this.text}
          @input=${(event: InputEvent) => (this.text = (event.target as HTMLInputElement).value)}
        />
        <nav>
          <a
            class="button"
            href=${href("/api/logs/raw")}
            download="vibetunnel-log.txt"
            aria-label="Download"
            data-testid="logs-download"
          >
            ${download}<span class="wide-only">Download</span>
          </a>
          <button class="button" data-testid="logs-clear" @click=${() => (this.clearing = true)}>Clear</button>
        </nav>
      </header>
      <div class="log-choices" role="group" aria-label="What is shown">
        ${LEVELS.map((level) => this.toggle(NAMES[level], this.levels.has(level), () => this.flip(level), level))}
        ${this.toggle("From pages", this.pages, () => (this.pages = !this.pages), "pages")}
        <span class="quiet" data-testid="logs-count">${lines === undefined ? "" : this.count(shown.length)}</span>
      </div>
      <div role="alert">
        ${this.error === "" ? nothing : html`<p class="problem" data-testid="error">${this.error}</p>`}
      </div>
      <ol class="log-lines mono" role="log" aria-label="Log" tabindex="0" data-testid="logs" @scroll=${this.scrolled}>
        ${repeat(shown, (line) => line.number, (line) => this.line(line))}
        ${shown.length > 0 || lines === undefined ? nothing : this.empty(lines.length)}
      </ol>
      ${
        this.follows || shown.length === 0
          ? nothing
          : html`<button class="button log-newest" data-testid="logs-newest" @click=${this.toEnd}>Newest lines</button>`
      }
      ${
        this.clearing
          ? html`<vt-confirm-dialog
              .heading=${"Clear the log?"}
              .text=${"The lines are forgotten for all owners. What the server wrote to its standard error stays."}
              .action=${"Clear"}
              .run=${() => this.clear()}
              @closed=${() => (this.clearing = false)}
            ></vt-confirm-dialog>`
          : nothing
      }
    </div>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    if (this.follows && this.list) this.list.scrollTop = this.list.scrollHeight;
  }

  private toggle(name: string, on: boolean, flip: () => void, what: string): TemplateResult {
    return html`<button
      class="log-choice"
      aria-pressed=${on ? "true" : "false"}
      data-testid="logs-show"
      data-what=${what}
      @click=${flip}
    >
      <span class="dot ${what}"></span>${name}
    </button>`;
  }

  private line({ at, level, module, text, user }: LogLine): TemplateResult {
    return html`<li class="log-line ${level}" data-testid="log-line">
      <time datetime=${at} title=${at}>${lineTime(at)}</time>
      <span class="log-level">${level === "log" ? "info" : level}</span>
      <span class="log-module" title=${module}>${module}</span>
      <span class="log-text">${user === undefined ? nothing : html`<bdi class="log-user">${user}</bdi>`}${text}</span>
    </li>`;
  }

  private empty(held: number): TemplateResult {
    return html`<li class="log-empty quiet" data-testid="logs-empty">
      ${held === 0 ? "The server has said nothing yet. New lines appear here." : "No line passes the filter."}
    </li>`;
  }

  private count(shown: number): string {
    const lines = `${shown} ${shown === 1 ? "line" : "lines"}`;
    return shown === SHOWN ? `newest ${lines}` : lines;
  }

  private flip(level: LogLevel): void {
    const levels = new Set(this.levels);
    if (!levels.delete(level)) levels.add(level);
    this.levels = levels;
  }

  private scrolled(): void {
    const { list } = this;
    if (list) this.follows = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
  }

  private toEnd(): void {
    this.follows = true;
  }

  private async clear(): Promise<void> {
    await this.api.clearLog();
    this.lines = [];
    void this.ask(); // an answer on its way has lines from before
  }

  private seen(): void {
    clearTimeout(this.timer);
    if (document.visibilityState === "visible") void this.ask();
  }

  private async ask(): Promise<void> {
    const asked = ++this.asked;
    try {
      const news = await this.api.logLines(this.lines?.at(-1)?.number ?? 0);
      if (asked !== this.asked) return;
      this.lines = appended(this.lines ?? [], news);
      this.error = "";
    } catch (error) {
      if (asked !== this.asked) return;
      this.error = messageOf(error);
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return; // the page above tells
    }
    clearTimeout(this.timer);
    if (document.visibilityState === "visible") this.timer = setTimeout(() => void this.ask(), AGAIN_MS);
  }
}
