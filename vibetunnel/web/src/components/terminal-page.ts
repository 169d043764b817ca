/** The page of one session: its terminal, and only the controls that it needs. */

import "@xterm/xterm/css/xterm.css";
import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import { type Api, ApiError, type Notice, type Session } from "../api.js";
import { announce, noticeText, noticed, progressText } from "../attention.js";
import { href } from "../base.js";
import { copyText, pasteText } from "../clipboard.js";
import { EventFeed, type ServerEvent } from "../events.js";
import { FileApi } from "../file-api.js";
import type { FileOpener } from "../file-link-provider.js";
import { join } from "../file-paths.js";
import { characters, commandLine, ending, pageTitle, remark } from "../format.js";
import type { BarKey } from "../keys.js";
import { previewOf } from "../paste.js";
import { total } from "../people.js";
import { askBeforePaste, asksBeforePaste } from "../preferences.js";
import { type User, isGuest, may, mayShare, mayUseFiles } from "../users.js";
import "./account-menu.js";
import type { Place } from "./files-panel.js";
import { gitBadge } from "./git-badge.js";
import { back, bell, cross, fit, folder, share, viewers } from "./icons.js";
import "./key-bar.js";
import { askForLogin, logOut, loginOver } from "./navigation.js";
import "./paste-dialog.js";
import "./paste-lines-dialog.js";
import "./people-panel.js";
import "./side-panel.js";
import "./terminal-drops.js";
import { type Gone, headingOf, terminalNotice } from "./terminal-notices.js";
import { PlainElement } from "./plain-element.js";
import { progressBar } from "./progress.js";
import "./share-dialog.js";
import "../styles/progress.css";
import "../styles/terminal.css";
import { INITIAL_STATUS, type TerminalStatus, type VtTerminal } from "./vt-terminal.js";
import "./vt-terminal.js";

const UNASKED_MS = 8_000; // how long the badge about an unasked paste stays
const KEYBOARD_LEAST = 120; // CSS pixels; less is a bar of the browser, not a keyboard

/** The session after an event. */
function changed(session: Session, event: ServerEvent): Session {
  if (event.sessionId !== undefined && event.sessionId !== session.id) return session;
  return event.session?.id === session.id ? event.session : noticed(session, event);
}

@customElement("vt-terminal-page")
export class TerminalPage extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) sessionId = "";
  @property({ attribute: false }) noAuth = false;
  /** undefined: not known yet. */
  @property({ attribute: false }) user: User | undefined;

  @state() private session: Session | undefined;
  @state() private gone: Gone | undefined; // why no terminal is shown
  @state() private status: TerminalStatus = INITIAL_STATUS;
  @state() private asleep = false; // the session waits for a client that may type
  @state() private pasting = false;
  @state() private toPaste: string | undefined; // several lines that wait for the user's word
  @state() private unasked = 0; // lines that were just pasted without asking
  @state() private sharing = false;
  @state() private offered: string | undefined; // text that the program wants to copy
  @state() private copyFailed = false;
  @state() private news: Notice | undefined; // a notification that came while the page was open
  @state() private files: Place | undefined; // what the files panel shows; undefined: it is closed
  @state() private newsOpen = false; // all of it is shown, over the terminal
  @query("vt-terminal") private terminal!: VtTerminal | null;

  private readonly coarse = matchMedia("(pointer: coarse)");
  private readonly covered = matchMedia("(max-width: 700px)"); // the files panel hides the terminal; side-panel.css
  private leaving = new AbortController();
  private feed: EventFeed | undefined;
  private sinceLoad: ServerEvent[] | undefined; // events that arrived while the session was being fetched
  private unaskedTimer: ReturnType<typeof setTimeout> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    visualViewport?.addEventListener("resize", () => this.followKeyboard(), { signal });
    visualViewport?.addEventListener("scroll", () => this.followKeyboard(), { signal });
    this.coarse.addEventListener("change", () => this.requestUpdate(), { signal });
    void this.load();
    this.listen();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    clearTimeout(this.unaskedTimer);
    this.feed?.stop();
  }

  protected override render(): TemplateResult {
    if (this.gone) {
      return terminalNotice(
        this.gone,
        this.guest,
        () => this.comeBack(),
        () => askForLogin(this),
      );
    }
    const { status } = this;
    return html`<div class="terminal-page">
      ${this.header()}
      <div class="workspace">
        <main>
          <vt-terminal
            data-testid="terminal"
            .api=${this.api}
            .sessionId=${this.sessionId}
            .fileOpener=${mayUseFiles(this.user) ? this.opener : undefined}
            .pointer=${this.session?.pointer ?? ""}
            @status=${(event: CustomEvent<TerminalStatus>) => this.take(event.detail)}
            @ask-to-paste=${(event: CustomEvent<string>) => this.askToPaste(event.detail)}
          ></vt-terminal>
          <div class="badges">
            ${this.badge()} ${this.wholeNews()} ${this.unaskedBadge()}
            <div role="status">${this.hint()}</div>
          </div>
          <vt-terminal-drops
            .api=${this.api}
            .allowed=${this.inserts && may(this.user, "files") && may(this.user, "control")}
            @insert-text=${(event: CustomEvent<string>) => this.insert(event.detail)}
          ></vt-terminal-drops>
          ${
            this.asleep
              ? html`<p class="not-started" role="status" data-testid="asleep">
                  Not started yet. It starts when a person who may type opens it.
                </p>`
              : nothing
          }
        </main>
        ${this.sidePanel()}
      </div>
      ${status.notice === "" ? nothing : html`<p class="banner" role="alert" data-testid="error">${status.notice}</p>`}
      ${status.state === "ended" ? this.exitBanner() : nothing}
      ${this.coarse.matches && status.state !== "ended" && status.writable && !this.asleep ? this.keyBar() : nothing}
      ${this.sharing ? this.shareDialog() : nothing}
      ${
        this.pasting
          ? html`<vt-paste-dialog
              @paste-text=${(event: CustomEvent<string>) => this.terminal?.paste(event.detail)}
              @closed=${() => this.stopPasting()}
            ></vt-paste-dialog>`
          : nothing
      }
      ${
        this.toPaste !== undefined
          ? html`<vt-paste-lines-dialog
              .text=${this.toPaste}
              @paste-lines=${(event: CustomEvent<boolean>) => this.pasteLines(event.detail)}
              @closed=${this.stopAsking}
            ></vt-paste-lines-dialog>`
          : nothing
      }
    </div>`;
  }

  protected override updated(changed: PropertyValues<this>): void {
    super.updated(changed);
    const [first, second] = this.gone ? [headingOf(this.gone), undefined] : [this.shownTitle, this.session?.name];
    document.title = pageTitle(first, second, this.gone ? "" : progressText(this.session?.progress));
  }

  private get shownTitle(): string | undefined {
    return this.status.title || this.session?.title;
  }

  private header(): TemplateResult {
    const { session, status, guest } = this;
    const name = session?.name ?? "";
    const title =
      this.shownTitle && this.shownTitle !== name ? this.shownTitle : session ? commandLine(session.command) : "";
    return html`<header class="bar slim">
      ${
        guest
          ? nothing
          : html`<a
              class="quiet-button"
              href=${href("/")}
              aria-label="All sessions"
              title="All sessions"
              data-testid="back"
              >${back}</a
            >`
      }
      <h1>
        <span class="name">${name}</span>
        <span class="title">${title}</span>
      </h1>
      ${session ? this.repository(session) : nothing} ${this.newsLine()}
      ${this.offer()}
      ${
        session?.progress
          ? html`<span class="percent ${session.progress.state}">${progressText(session.progress)}</span>`
          : nothing
      }
      ${this.sizeButton()}
      ${status.writable || status.state === "ended" ? nothing : this.viewOnly()} ${this.people()}
      ${mayUseFiles(this.user) ? this.filesButton() : nothing}
      ${mayShare(this.user, session) && !this.noAuth && status.state !== "ended" ? this.shareButton() : nothing}
      ${this.connection()}
      ${
        guest && this.user
          ? html`<vt-account-menu .user=${this.user} @leave=${this.leave}></vt-account-menu>`
          : nothing
      }
      ${progressBar(session?.progress)}
    </header>`;
  }

  /** For a client that does not own the size, and whose window would have another. */
  private sizeButton(): TemplateResult | typeof nothing {
    const { owner, fits, writable, state, cols, rows } = this.status;
    if (owner || fits || !writable || state !== "open") return nothing;
    const words = "Use this window's size";
    return html`<button
      class="size"
      title="The session has ${cols}×${rows} characters, as another window set it"
      aria-label=${words}
      data-testid="take-size"
      @click=${() => this.terminal?.takeSize()}
    >
      ${fit}<span class="wide">${words}</span>
    </button>`;
  }

  private connection(): TemplateResult {
    const { state, latency_ms } = this.status;
    const words: Record<TerminalStatus["state"], string> = {
      connecting: "Connecting",
      open: "Connected",
      asleep: "Not started",
      waiting: "Reconnecting",
      ended: "Exited",
      unauthorized: "Logged out",
      forbidden: "No access",
      out: "Put out",
      missing: "Not found",
    };
    const latency = latency_ms === undefined ? "" : `${Math.max(1, Math.round(latency_ms))} ms`;
    return html`<p class="connection" data-testid="connection-state" data-state=${state} title=${words[state]}>
      <span class="latency">${state === "open" ? latency : ""}</span>
      <span class="dot ${state}"></span><span class="hidden" role="status">${words[state]}</span>
    </p>`;
  }

  private get guest(): boolean {
    return isGuest(this.user);
  }

  private viewOnly(): TemplateResult {
    return html`<span class="chip" title="You can watch this session, but not type." data-testid="view-only">
      ${viewers}View only
    </span>`;
  }

  private people(): TemplateResult | typeof nothing {
    const { presence, ownId, state } = this.status;
    if (total(presence) < 2 || state !== "open") return nothing;
    return html`<vt-people
      .api=${this.api}
      .sessionId=${this.sessionId}
      .presence=${presence}
      .ownId=${ownId}
      .manages=${mayShare(this.user, this.session)}
    ></vt-people>`;
  }

  private shareButton(): TemplateResult {
    return html`<button
      class="quiet-button"
      aria-label="Share"
      title="Share"
      data-testid="share-open"
      @click=${() => (this.sharing = true)}
    >
      ${share}
    </button>`;
  }

  // Files

  private readonly opener: FileOpener = {
    folder: () => this.folder,
    kind: (path) => new FileApi(this.api).kind(path),
    open: (path, line) => (this.files = { path, line }),
    missing: (path) => this.terminal?.hint(`No such file: ${path}`),
  };

  /** The folder of the session's programs, as the shell reports it; empty: not known yet. */
  private get folder(): string {
    return this.session?.folder || this.session?.workingDir || "";
  }

  /** Whether what is inserted into the terminal arrives. */
  private get inserts(): boolean {
    return this.status.writable && this.status.state === "open" && !this.asleep;
  }

  private filesButton(): TemplateResult {
    return html`<button
      class="quiet-button"
      aria-label="Files"
      title="Files"
      aria-pressed=${this.files !== undefined}
      data-testid="files-open"
      @click=${() => (this.files ? this.closeFiles() : (this.files = { path: join(this.folder, "") }))}
    >
      ${folder}
    </button>`;
  }

  /** The badge opens the changes beside the terminal. As a link, in another tab, it is their page. */
  private repository(session: Session): TemplateResult | typeof nothing {
    return gitBadge(session, {
      links: may(this.user, "files"),
      back: true,
      opens: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        this.files = { path: join(this.folder, ""), changes: true };
      },
    });
  }

  private sidePanel(): TemplateResult | typeof nothing {
    if (!this.files || !mayUseFiles(this.user)) return nothing;
    return html`<vt-side-panel
      .api=${this.api}
      .place=${this.files}
      .folder=${this.folder}
      .inserts=${this.inserts}
      .git=${may(this.user, "files")}
      @insert-text=${(event: CustomEvent<string>) => this.insert(event.detail)}
      @closed=${this.closeFiles}
    ></vt-side-panel>`;
  }

  private closeFiles(): void {
    this.files = undefined;
    void this.updateComplete.then(() => this.terminal?.focus());
  }

  /** Insert a text, and show the terminal that gets it. */
  private insert(text: string): void {
    this.terminal?.paste(text);
    if (this.covered.matches) this.closeFiles();
    else this.terminal?.focus();
  }

  private shareDialog(): TemplateResult {
    return html`<vt-share-dialog
      .api=${this.api}
      .sessionId=${this.sessionId}
      .name=${this.session?.name ?? ""}
      @closed=${this.stopSharing}
    ></vt-share-dialog>`;
  }

  private hint(): TemplateResult | typeof nothing {
    const { hint } = this.status;
    return hint === "" ? nothing : html`<p class="badge hint" data-testid="hint">${hint}</p>`;
  }

  private badge(): TemplateResult | typeof nothing {
    if (this.asleep) return nothing;
    if (this.status.state !== "waiting" && !(this.status.state === "connecting" && this.status.rows > 0))
      return nothing;
    return html`<div class="badge late" data-testid="reconnecting">
      <span class="dot waiting"></span>Reconnecting…
      <button class="text-button" @click=${() => this.terminal?.reconnect()}>Now</button>
    </div>`;
  }

  /** A program's notification, beside the name: over the terminal it would cover the prompt. It stays until dismissed. */
  private newsLine(): TemplateResult | typeof nothing {
    const { news } = this;
    if (news === undefined) return nothing;
    return html`<div class="news ${news.urgency}" role="status" data-testid="notification">
      <button
        title=${noticeText(news)}
        aria-expanded=${this.newsOpen}
        data-testid="notification-open"
        @click=${() => (this.newsOpen = !this.newsOpen)}
      >
        ${bell}<span><bdi>${noticeText(news)}</bdi></span>
      </button>
      ${this.cross("notification-dismiss", this.dismissNews)}
    </div>`;
  }

  /** All of a notification, if the user has asked for it. */
  private wholeNews(): TemplateResult | typeof nothing {
    if (this.news === undefined || !this.newsOpen) return nothing;
    return html`<p class="badge news-text" data-testid="notification-text"><bdi>${noticeText(this.news)}</bdi></p>`;
  }

  /** A program's request to copy (OSC 52), beside the name as a notification is. Only the user grants it. */
  private offer(): TemplateResult | typeof nothing {
    const { offered } = this;
    if (offered === undefined) return nothing;
    const words = this.copyFailed
      ? "This browser does not allow the page to copy."
      : `The program wants to copy ${characters(offered)}`;
    return html`<div class="news offer" role="status" data-testid="clipboard">
      <span class=${this.copyFailed ? "" : "wide"} title=${words}>${words}</span>
      ${
        this.copyFailed
          ? nothing
          : html`<button class="text-button" data-testid="clipboard-copy" @click=${this.copyOffered}>
              Copy<span class="narrow"> ${characters(offered)}</span>
            </button>`
      }
      ${this.cross("clipboard-dismiss", this.dismissOffer)}
    </div>`;
  }

  private cross(testId: string, dismiss: () => void): TemplateResult {
    return html`<button class="quiet-button" aria-label="Dismiss" title="Dismiss" data-testid=${testId} @click=${dismiss}>
      ${cross}
    </button>`;
  }

  /** The way back for a user who no longer wants to be asked before several lines are pasted. */
  private unaskedBadge(): TemplateResult | typeof nothing {
    if (this.unasked === 0) return nothing;
    return html`<div class="badge" role="status" data-testid="pasted-unasked">
      <span>Pasted ${this.unasked} lines</span>
      <button class="text-button" data-testid="paste-ask-again" @click=${this.askAgain}>Ask next time</button>
    </div>`;
  }

  private exitBanner(): TemplateResult {
    const { exit } = this.status;
    const said = exit ?? { code: this.session?.exitCode, signal: this.session?.signal, reason: this.session?.reason };
    return html`<div class="banner" role="status" data-testid="exit-banner">
      <p>
        <span class="dot ${exit && exit.code !== 0 ? "failed" : "exited"}"></span>
        ${ending(said)}
        ${exit && remark(exit) ? html`<span class="quiet">${remark(exit)}</span>` : nothing}
      </p>
      ${this.guest ? nothing : html`<a class="button" href=${href("/")}>All sessions</a>`}
    </div>`;
  }

  private keyBar(): TemplateResult {
    return html`<vt-key-bar
      .control=${this.status.control}
      .selected=${this.status.selected}
      @press=${(event: CustomEvent<BarKey>) => this.terminal?.press(event.detail)}
      @control=${() => this.terminal?.toggleControl()}
      @copy-selection=${() => this.terminal?.copy()}
      @paste-clipboard=${this.paste}
    ></vt-key-bar>`;
  }

  /** Show a notice instead of the terminal. */
  private leaveFor(gone: Gone): void {
    this.gone = gone;
    this.feed?.stop();
  }

  private comeBack(): void {
    this.status = INITIAL_STATUS;
    this.gone = undefined;
    this.listen();
  }

  private leave(): void {
    this.feed?.stop(); // or it would ask why the server cut it
    logOut(this, (notice) => {
      this.status = { ...this.status, notice };
      this.listen();
    });
  }

  private listen(): void {
    this.feed?.stop();
    this.feed = new EventFeed({
      onOpen: () => void this.load(), // events in between are lost
      onEvent: (event) => this.happened(event),
      onLost: () => this.lost(),
    });
    this.feed.start();
  }

  /** The terminal's own connection reports errors; a session that has ended has no connection. */
  private lost(): void {
    if (this.status.state === "ended") void this.load();
  }

  private happened(event: ServerEvent): void {
    this.sinceLoad?.push(event);
    if (event.session?.id === this.sessionId) {
      if (this.status.state === "asleep") this.terminal?.reconnect();
    }
    if (event.sessionId === this.sessionId) {
      this.session = this.session ? changed(this.session, event) : event.session; // it may have been renamed
      if (event.type === "notification") this.notify(event.notification ?? undefined);
      announce(event, this.session?.name ?? "");
      if (event.type === "command") this.querySelector("vt-side-panel")?.refreshSoon();
    }
    if (event.type !== "clipboard" || event.sessionId !== this.sessionId || !event.text) return;
    this.offered = event.text;
    this.copyFailed = false;
  }

  private notify(news: Notice | undefined): void {
    this.news = news;
    this.newsOpen = false;
  }

  private dismissNews(): void {
    this.notify(undefined);
    this.terminal?.focus();
  }

  private async copyOffered(): Promise<void> {
    const copied = await copyText(this.offered ?? "");
    if (copied) this.dismissOffer();
    else this.copyFailed = true;
  }

  private dismissOffer(): void {
    this.offered = undefined;
    this.terminal?.focus();
  }

  private async paste(): Promise<void> {
    const text = await pasteText();
    if (text === undefined) this.pasting = true;
    else this.terminal?.paste(text);
  }

  private stopPasting(): void {
    this.pasting = false;
    this.terminal?.focus();
  }

  private askToPaste(text: string): void {
    if (asksBeforePaste()) {
      this.toPaste = text;
      return;
    }
    this.terminal?.pasteLines(text);
    this.unasked = previewOf(text).count;
    clearTimeout(this.unaskedTimer);
    this.unaskedTimer = setTimeout(() => (this.unasked = 0), UNASKED_MS);
  }

  private pasteLines(ask: boolean): void {
    askBeforePaste(ask);
    this.terminal?.pasteLines(this.toPaste ?? "");
  }

  private stopAsking(): void {
    this.toPaste = undefined;
    this.terminal?.focus();
  }

  private askAgain(): void {
    askBeforePaste(true);
    this.unasked = 0;
    this.terminal?.focus();
  }

  private stopSharing(): void {
    this.sharing = false;
    this.terminal?.focus();
  }

  private take(status: TerminalStatus): void {
    const ended = status.state === "ended" && this.status.state !== "ended";
    this.status = status;
    const { state } = status;
    if (state !== "connecting" && state !== "waiting") this.asleep = state === "asleep"; // an attempt is under way in those two
    if (state === "unauthorized") loginOver(this);
    if (state === "missing" || state === "forbidden" || state === "out") this.leaveFor(state);
    if (ended && !status.exit) void this.load();
  }

  /** The session's name; the terminal does not wait for it. */
  private async load(): Promise<void> {
    const missed: ServerEvent[] = [];
    this.sinceLoad = missed;
    try {
      const fetched = await this.api.session(this.sessionId);
      // They may be newer than what was fetched. A later request has what this one has.
      if (this.sinceLoad === missed) this.session = missed.reduce(changed, fetched);
      if (fetched.gitRepoPath !== undefined) await this.api.lookAtRepository(this.sessionId); // files are not watched
    } catch (error) {
      // The socket reports all other errors, and tries again.
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) this.leaveFor("missing");
      if (error.status === 403) this.leaveFor("forbidden");
    } finally {
      if (this.sinceLoad === missed) this.sinceLoad = undefined;
    }
  }

  /** Keep the page above the on-screen keyboard, which covers the document and does not shrink it. */
  private followKeyboard(): void {
    const viewport = visualViewport;
    if (!viewport || !this.coarse.matches || viewport.scale > 1.01) return;
    const covered = Math.round(innerHeight - viewport.height);
    const open = covered >= KEYBOARD_LEAST;
    this.style.setProperty("--page-height", open ? `${viewport.height}px` : "100dvh");
    this.style.setProperty("--page-top", open ? `${viewport.offsetTop}px` : "0px");
    this.terminal?.setKeyboardInset(open ? covered : 0);
  }
}
