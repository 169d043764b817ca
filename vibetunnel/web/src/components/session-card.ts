/** One session in the list. */

import { type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import type { Notice, Session } from "../api.js";
import { noticeText, progressText } from "../attention.js";
import { href } from "../base.js";
import { readable } from "../file-paths.js";
import { age, commandLine, folderName, remark, stateText } from "../format.js";
import { sessionPath } from "../router.js";
import { gitBadge } from "./git-badge.js";
import { bell, cross, pencil, share, stop, viewers } from "./icons.js";
import { PlainElement } from "./plain-element.js";
import { progressBar } from "./progress.js";
import "../styles/progress.css";

/** Dispatches `rename` (detail: the new name), `share`, `kill` and `remove`. */
@customElement("vt-session-card")
export class SessionCard extends PlainElement {
  @property({ attribute: false }) session!: Session;
  @property({ attribute: false }) home: string | undefined;
  @property({ attribute: false }) now_ms = 0;
  @property({ attribute: false }) rang = false;
  /** Whether this user may rename and end it. */
  @property({ attribute: false }) controls = false;
  /** Whether this user may make links to it. */
  @property({ attribute: false }) shares = false;
  /** Whether this user may look at files. */
  @property({ attribute: false }) files = false;

  @state() private renaming = false;
  @query("input") private field!: HTMLInputElement;

  protected override render(): TemplateResult {
    const { session } = this;
    const command = commandLine(session.command);
    const folder = readable(folderName(session.folder ?? session.workingDir, this.home));
    return html`<article class="card ${session.status}" data-testid="session-card" data-session-id=${session.id}>
      <span class="dot ${this.tone()}" title=${stateText(session)}></span>
      <div class="what">
        <h3>${this.renaming ? this.nameField() : this.nameLink()}</h3>
        <p class="details mono" title="${command} in ${folder}">
          <span class="command">${command}</span><span class="folder"><bdi>${folder}</bdi></span
          >${gitBadge(session, { links: this.files })}
        </p>
        ${session.notification ? this.notice(session.notification) : nothing} ${this.reason()}
      </div>
      <p class="facts">
        <span class="state" data-testid="session-state">${stateText(session)}</span>
        ${
          session.progress
            ? html`<span class="percent ${session.progress.state}" data-testid="session-progress"
                >${progressText(session.progress)}</span
              >`
            : nothing
        }
        ${this.rang ? html`<span class="bell" title="The bell rang">${bell}</span>` : nothing}
        ${
          session.clients > 0
            ? html`<span class="viewers" title="${session.clients} watching" data-testid="session-clients">
                ${viewers}${session.clients}</span
              >`
            : nothing
        }
        <time datetime=${session.createdAt} title="Created ${new Date(session.createdAt).toLocaleString()}"
          >${age(session.createdAt, this.now_ms)}</time
        >
      </p>
      ${this.controls ? this.actions() : nothing} ${progressBar(session.progress)}
    </article>`;
  }

  private notice(notice: Notice): TemplateResult {
    const text = noticeText(notice);
    return html`<p class="notification ${notice.urgency}" title=${text} data-testid="session-notification">
      ${bell}<bdi>${text}</bdi><time datetime=${notice.at}>${age(notice.at, this.now_ms)}</time>
    </p>`;
  }

  /** Why it has ended, or could not start. */
  private reason(): TemplateResult | typeof nothing {
    const { status, exitCode, signal, reason } = this.session;
    const text = status === "exited" ? remark({ code: exitCode, signal, reason }) : "";
    return text === "" ? nothing : html`<p class="reason" title=${text} data-testid="session-reason"><bdi>${text}</bdi></p>`;
  }

  private actions(): TemplateResult {
    const { session } = this;
    const exited = session.status === "exited";
    return html`<div class="actions">
      ${
        this.shares && !exited
          ? html`<button
              class="quiet-button"
              data-testid="session-share"
              aria-label="Share ${session.name}"
              title="Share"
              @click=${() => this.tell("share")}
            >
              ${share}
            </button>`
          : nothing
      }
      <button
        class="quiet-button"
        data-testid="session-rename"
        aria-label="Rename ${session.name}"
        title="Rename"
        @click=${this.startRenaming}
      >
        ${pencil}
      </button>
      ${
        exited
          ? html`<button
              class="quiet-button"
              data-testid="session-remove"
              aria-label="Remove ${session.name}"
              title="Remove from the list"
              @click=${() => this.tell("remove")}
            >
              ${cross}
            </button>`
          : html`<button
              class="quiet-button"
              data-testid="session-kill"
              aria-label="Kill ${session.name}"
              title="Kill"
              @click=${() => this.tell("kill")}
            >
              ${stop}
            </button>`
      }
    </div>`;
  }

  private tone(): string {
    const { status, exitCode, signal, reason } = this.session;
    if (status !== "exited") return status;
    const unknown = exitCode === undefined && reason !== undefined; // it could not start, or its end was not seen
    return (exitCode ?? 0) === 0 && !signal && !unknown ? "exited" : "failed";
  }

  private nameLink(): TemplateResult {
    const { session } = this;
    const title = session.title && session.title !== session.name ? session.title : "";
    return html`<a href=${href(sessionPath(session.id))} data-testid="session-open">${session.name}</a>${
        title ? html`<span class="title">${title}</span>` : nothing
      }`;
  }

  private nameField(): TemplateResult {
    return html`<input
      class="field inline"
      data-testid="rename-field"
      aria-label="Name"
      maxlength="200"
      autocomplete="off"
      .value=${this.session.name}
      @keydown=${this.keyPressed}
      @blur=${this.finishRenaming}
    />`;
  }

  private async startRenaming(): Promise<void> {
    this.renaming = true;
    await this.updateComplete;
    this.field.select();
    this.field.focus();
  }

  private keyPressed(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Enter") this.finishRenaming();
    if (event.key === "Escape") this.renaming = false;
  }

  private finishRenaming(): void {
    if (!this.renaming) return;
    const name = this.field.value.trim();
    this.renaming = false;
    if (name !== "" && name !== this.session.name) this.tell("rename", name);
  }

  private tell(type: string, detail?: string): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
