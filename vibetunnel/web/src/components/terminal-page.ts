/** The page of one session: its terminal, and around it no more than one needs. */

import "@xterm/xterm/css/xterm.css";
import { type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import { type Api, ApiError, type Session } from "../api.js";
import { copyText, pasteText } from "../clipboard.js";
import { EventFeed, type ServerEvent } from "../events.js";
import { characters, commandLine, ending, pageTitle } from "../format.js";
import type { BarKey } from "../keys.js";
import { back, cross } from "./icons.js";
import "./key-bar.js";
import { askForLogin } from "./navigation.js";
import "./paste-dialog.js";
import { PlainElement } from "./plain-element.js";
import "../styles/terminal.css";
import { INITIAL_STATUS, type TerminalStatus, type VtTerminal } from "./vt-terminal.js";
import "./vt-terminal.js";

const KEYBOARD_LEAST = 120; // CSS pixels; less is a browser's bar that comes and goes

@customElement("vt-terminal-page")
export class TerminalPage extends PlainElement {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) sessionId = "";

  @state() private session: Session | undefined;
  @state() private missing = false;
  @state() private status: TerminalStatus = INITIAL_STATUS;
  @state() private pasting = false;
  @state() private offered: string | undefined; // what the program would like to have copied
  @state() private copyFailed = false;
  @query("vt-terminal") private terminal!: VtTerminal | null;

  private readonly coarse = matchMedia("(pointer: coarse)");
  private leaving = new AbortController();
  private feed: EventFeed | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    visualViewport?.addEventListener("resize", () => this.followKeyboard(), { signal });
    visualViewport?.addEventListener("scroll", () => this.followKeyboard(), { signal });
    this.coarse.addEventListener("change", () => this.requestUpdate(), { signal });
    void this.load();
    const nothingToDo = (): void => undefined; // the terminal has its own connection, and says what is wrong with it
    this.feed = new EventFeed({
      onOpen: nothingToDo,
      onEvent: (event) => this.happened(event),
      onLost: nothingToDo,
    });
    this.feed.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    this.feed?.stop();
  }

  protected override render(): TemplateResult {
    if (this.missing) return this.notFound();
    const { status } = this;
    return html`<div class="terminal-page">
      ${this.header()}
      <main>
        <vt-terminal
          data-testid="terminal"
          .api=${this.api}
          .sessionId=${this.sessionId}
          @status=${(event: CustomEvent<TerminalStatus>) => this.take(event.detail)}
        ></vt-terminal>
        <div class="badges">${this.badge()} ${this.offer()}</div>
      </main>
      ${status.notice === "" ? nothing : html`<p class="banner" role="alert" data-testid="error">${status.notice}</p>`}
      ${status.state === "ended" ? this.exitBanner() : nothing}
      ${this.coarse.matches && status.state !== "ended" ? this.keyBar() : nothing}
      ${
        this.pasting
          ? html`<vt-paste-dialog
              @paste-text=${(event: CustomEvent<string>) => this.terminal?.paste(event.detail)}
              @closed=${() => this.stopPasting()}
            ></vt-paste-dialog>`
          : nothing
      }
    </div>`;
  }

  protected override updated(changed: PropertyValues<this>): void {
    super.updated(changed);
    document.title = this.missing ? pageTitle("Not found", undefined) : pageTitle(this.shownTitle, this.session?.name);
  }

  private get shownTitle(): string | undefined {
    return this.status.title || this.session?.title;
  }

  private header(): TemplateResult {
    const { session, status } = this;
    const name = session?.name ?? "";
    const title =
      this.shownTitle && this.shownTitle !== name ? this.shownTitle : session ? commandLine(session.command) : "";
    return html`<header class="bar slim">
      <a class="quiet-button" href="/" aria-label="All sessions" title="All sessions" data-testid="back">${back}</a>
      <h1>
        <span class="name">${name}</span>
        <span class="title">${title}</span>
      </h1>
      ${
        status.owner || status.state === "ended" || status.rows === 0
          ? nothing
          : html`<span class="size" title="Another viewer sets the size. Type here to take it over.">
              ${status.cols}×${status.rows}</span
            >`
      }
      ${this.connection()}
    </header>`;
  }

  private connection(): TemplateResult {
    const { state, latency_ms } = this.status;
    const words: Record<TerminalStatus["state"], string> = {
      connecting: "Connecting",
      open: "Connected",
      waiting: "Reconnecting",
      ended: "Exited",
      unauthorized: "Logged out",
      missing: "Gone",
    };
    const latency = latency_ms === undefined ? "" : `${Math.max(1, Math.round(latency_ms))} ms`;
    return html`<p class="connection" data-testid="connection-state" data-state=${state} title=${words[state]}>
      <span class="latency">${state === "open" ? latency : ""}</span>
      <span class="dot ${state}"></span><span class="hidden" role="status">${words[state]}</span>
    </p>`;
  }

  private badge(): TemplateResult | typeof nothing {
    if (this.status.state !== "waiting" && !(this.status.state === "connecting" && this.status.rows > 0))
      return nothing;
    return html`<div class="badge late" data-testid="reconnecting">
      <span class="dot waiting"></span>Reconnecting…
      <button class="text-button" @click=${() => this.terminal?.reconnect()}>Now</button>
    </div>`;
  }

  /** A program's wish to copy (OSC 52). It is fulfilled by whoever sits here, never by itself. */
  private offer(): TemplateResult | typeof nothing {
    const { offered } = this;
    if (offered === undefined) return nothing;
    const words = this.copyFailed
      ? "This browser does not let a page copy."
      : `The program wants to copy ${characters(offered)}`;
    return html`<div class="badge" role="status" data-testid="clipboard">
      <span>${words}</span>
      ${
        this.copyFailed
          ? nothing
          : html`<button class="text-button" data-testid="clipboard-copy" @click=${this.copyOffered}>Copy</button>`
      }
      <button
        class="quiet-button"
        aria-label="Dismiss"
        title="Dismiss"
        data-testid="clipboard-dismiss"
        @click=${this.dismissOffer}
      >
        ${cross}
      </button>
    </div>`;
  }

  private exitBanner(): TemplateResult {
    const { exit } = this.status;
    const said = exit ?? { code: this.session?.exitCode, signal: this.session?.signal, reason: this.session?.reason };
    return html`<div class="banner" role="status" data-testid="exit-banner">
      <p>
        <span class="dot ${exit && exit.code !== 0 ? "failed" : "exited"}"></span>
        ${ending(said)}
        ${exit && exit.code !== -1 && exit.reason ? html`<span class="quiet">${exit.reason}</span>` : nothing}
      </p>
      <a class="button" href="/">All sessions</a>
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

  private notFound(): TemplateResult {
    return html`<main class="notice">
      <h1>This session does not exist</h1>
      <p data-testid="error">It may have been cleaned up, or the address is wrong.</p>
      <a class="button" href="/">All sessions</a>
    </main>`;
  }

  private happened(event: ServerEvent): void {
    if (event.type !== "clipboard" || event.sessionId !== this.sessionId || !event.text) return;
    this.offered = event.text;
    this.copyFailed = false;
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

  private take(status: TerminalStatus): void {
    const ended = status.state === "ended" && this.status.state !== "ended";
    this.status = status;
    if (status.state === "unauthorized") askForLogin(this);
    if (status.state === "missing") this.missing = true;
    if (ended && !status.exit) void this.load();
  }

  /** The session's name; the terminal does not wait for it. */
  private async load(): Promise<void> {
    try {
      this.session = await this.api.session(this.sessionId);
    } catch (error) {
      // Anything else is the socket's to report: it tries again.
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) this.missing = true;
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
