/** A session's terminal: joins the screen to the socket, and reports its status to the page. */

import { type TemplateResult, html } from "lit";
import { customElement, property } from "lit/decorators.js";

import { type Api, ApiError } from "../api.js";
import { keepClientId, takeClientId } from "../client-id.js";
import type { FileOpener } from "../file-link-provider.js";
import type { BarKey } from "../keys.js";
import { NOBODY } from "../people.js";
import type { Access, Exit, Hello, Lines, Presence, Redraw } from "../protocol.js";
import type { Request } from "../scrollback.js";
import { type Probe, SessionSocket, type SocketListener, type SocketState } from "../socket.js";
import { Screen, type ScreenListener } from "../terminal.js";
import { PlainElement } from "./plain-element.js";

const BELL_MS = 180; // how long the screen's edge shows the bell
const HINT_MS = 4_000; // how long a hint stays
const READ_ONLY = 1; // the protocol's error code

const HINTS = {
  watching: "View only: your typing is not sent.",
  taken: "You can no longer type, only watch.",
  given: "You can type now.",
} as const;

export interface TerminalStatus {
  readonly state: SocketState;
  /** Why the connection was lost, if known. */
  readonly reason: string;
  readonly latency_ms: number | undefined;
  readonly title: string | undefined;
  readonly exit: Exit | undefined;
  readonly writable: boolean;
  readonly owner: boolean;
  /** The session has the size that fits this window. */
  readonly fits: boolean;
  readonly rows: number;
  readonly cols: number;
  readonly selected: boolean;
  readonly control: boolean;
  /** The people attached to the session. */
  readonly presence: Presence;
  /** The id of this connection in `presence`. */
  readonly ownId: string;
  /** A message that disappears by itself; empty: none. */
  readonly hint: string;
  /** A message that stays; empty: none. */
  readonly notice: string;
}

export const INITIAL_STATUS: TerminalStatus = {
  state: "connecting",
  reason: "",
  latency_ms: undefined,
  title: undefined,
  exit: undefined,
  writable: true,
  owner: true,
  fits: true,
  rows: 0,
  cols: 0,
  selected: false,
  control: false,
  presence: NOBODY,
  ownId: "",
  hint: "",
  notice: "",
};

/** Dispatches `status` (detail: TerminalStatus) whenever the status changes, and `ask-to-paste` (detail: the text). */
@customElement("vt-terminal")
export class VtTerminal extends PlainElement implements SocketListener, ScreenListener {
  @property({ attribute: false }) api!: Api;
  @property({ attribute: false }) sessionId = "";
  /** CSS name of the pointer's shape over the terminal; empty: ours. */
  @property({ attribute: false }) pointer = "";
  /** Opens the places in files that programs print; undefined: the user may see no files. */
  @property({ attribute: false }) fileOpener: FileOpener | undefined;

  private status: TerminalStatus = INITIAL_STATUS;
  private view: Screen | undefined;
  private socket: SessionSocket | undefined;
  private clientId = "";
  private leaving = new AbortController();
  private bellTimer: ReturnType<typeof setTimeout> | undefined;
  private hintTimer: ReturnType<typeof setTimeout> | undefined;
  private greeted = false; // the right to type is known

  /** The visible rows as text. */
  text(): string {
    return this.view?.text() ?? "";
  }

  get rows(): number {
    return this.view?.rows ?? 0;
  }

  get cols(): number {
    return this.view?.cols ?? 0;
  }

  /** Offset of the output up to which the screen is drawn. */
  get offset(): number {
    return Number(this.view?.offset ?? 0n);
  }

  override focus(): void {
    this.view?.focus();
  }

  press(key: BarKey): void {
    this.view?.press(key);
  }

  /** Turn on or off that the next character is sent with Ctrl. */
  toggleControl(): void {
    if (!this.view) return;
    this.view.controlNext = !this.view.controlNext;
    this.tell({ control: this.view.controlNext });
  }

  paste(text: string): void {
    this.view?.paste(text);
  }

  /** Paste several lines that the user has agreed to. */
  pasteLines(text: string): void {
    this.view?.pasteLines(text);
  }

  async copy(): Promise<void> {
    const copied = (await this.view?.copy()) ?? false;
    this.tell({ notice: copied ? "" : "This browser does not allow the page to copy." });
  }

  setKeyboardInset(pixels: number): void {
    this.view?.setKeyboardInset(pixels);
  }

  /** Give the session the size of this window, whichever client owns it. */
  takeSize(): void {
    this.socket?.takeSize();
    this.focus();
  }

  /** Connect now, without waiting for the next attempt. */
  reconnect(): void {
    this.socket?.wake();
  }

  protected override render(): TemplateResult {
    return html`<div class="screen" ?pointed=${this.pointer !== ""} .style=${`--pointer: ${this.pointer}`}></div>`;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.leaving = new AbortController();
    const { signal } = this.leaving;
    this.clientId = takeClientId(this.sessionId);
    addEventListener("pagehide", () => keepClientId(this.sessionId, this.clientId), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.returned(), { signal });
    addEventListener("online", () => this.socket?.wake(), { signal });
    document.addEventListener("visibilitychange", () => this.seen(), { signal });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
    clearTimeout(this.bellTimer);
    clearTimeout(this.hintTimer);
    this.socket?.close();
    this.view?.dispose();
    this.socket = undefined;
    this.view = undefined;
    keepClientId(this.sessionId, this.clientId);
  }

  protected override firstUpdated(): void {
    void this.begin();
  }

  protected override updated(): void {
    if (this.view) this.view.fileOpener = this.fileOpener;
  }

  /** Measure, then connect, so that the program's first frame has the right size. */
  private async begin(): Promise<void> {
    const host = this.querySelector<HTMLElement>(".screen");
    if (!host) return;
    const screen = new Screen(host, this, (key) => this.api.pictureUrl(this.sessionId, key));
    this.view = screen;
    screen.fileOpener = this.fileOpener;
    screen.onControlUsed = () => this.tell({ control: false });
    await screen.open();
    if (this.view !== screen) return; // the page was left meanwhile
    this.socket = new SessionSocket({
      sessionId: this.sessionId,
      clientId: this.clientId,
      viewport: () => screen.viewport,
      appearance: () => screen.appearance,
      probe: () => this.probe(),
      listener: this,
    });
    this.seen();
    this.socket.start();
    screen.focus();
  }

  private async probe(): Promise<Probe> {
    try {
      const { status } = await this.api.session(this.sessionId);
      return status === "created" ? "asleep" : "ok";
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) return "unauthorized";
      if (error.status === 403) return "forbidden";
      return error.status === 404 || error.status === 400 ? "missing" : "unreachable";
    }
  }

  private seen(): void {
    this.socket?.setVisible(document.visibilityState === "visible");
  }

  /** The page comes back from the browser's page cache, which has cut its sockets. */
  private returned(): void {
    takeClientId(this.sessionId);
    this.socket?.wake();
  }

  /** The session has this size. Mark the edge of its screen if this client does not own it. */
  private sized(rows: number, cols: number, owner: boolean): void {
    this.view?.setOwner(owner);
    this.toggleAttribute("viewer", !owner);
    this.tell({ rows, cols, owner });
    this.compare();
  }

  private compare(): void {
    const { rows, cols } = this.view?.viewport ?? this.status;
    this.tell({ fits: rows === this.status.rows && cols === this.status.cols });
  }

  /** Show a message for a moment. */
  hint(hint: string): void {
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => this.tell({ hint: "" }), HINT_MS);
    this.tell({ hint });
  }

  /** The server has told whether this client may type. */
  private permit(writable: boolean): void {
    const changed = this.greeted && writable !== this.status.writable;
    this.greeted = true;
    this.view?.setReadOnly(!writable);
    this.tell({ writable, ...(writable ? {} : { control: false }) });
    if (changed) this.hint(writable ? HINTS.given : HINTS.taken);
  }

  private tell(change: Partial<TerminalStatus>): void {
    this.status = { ...this.status, ...change };
    this.dispatchEvent(new CustomEvent("status", { detail: this.status }));
  }

  // Called by the screen

  input(data: Uint8Array): void {
    if (data.length === 0 || !this.socket || this.socket.send(data)) return;
    if (this.status.exit || this.status.state !== "open") return; // the banner already says so
    if (this.status.writable) this.tell({ notice: "Not sent: this is too much input at once." });
    else this.hint(HINTS.watching);
  }

  askToPaste(text: string): void {
    if (this.status.exit) return; // the banner says so
    if (!this.status.writable) this.hint(HINTS.watching);
    else this.dispatchEvent(new CustomEvent("ask-to-paste", { detail: text }));
  }

  viewport(): void {
    this.socket?.resize();
    this.compare();
  }

  appearance(): void {
    this.socket?.restyle();
  }

  bell(): void {
    this.toggleAttribute("bell", true);
    clearTimeout(this.bellTimer);
    this.bellTimer = setTimeout(() => this.toggleAttribute("bell", false), BELL_MS);
  }

  selection(selected: boolean): void {
    this.tell({ selected });
  }

  ask(request: Request): boolean {
    return this.socket?.ask(request) ?? false;
  }

  // Called by the socket

  state(state: SocketState, reason: string): void {
    const lost = state !== "open" && state !== "ended";
    this.tell({ state, reason, ...(lost ? { latency_ms: undefined } : {}) });
  }

  hello(hello: Hello, fresh: boolean): void {
    const { rows, cols, owner, writable } = hello;
    this.sized(rows, cols, owner);
    this.view?.begin(hello.start, hello.live, fresh, hello);
    this.tell({ notice: "" });
    this.permit(writable);
  }

  output(data: Uint8Array, end: bigint): void {
    this.view?.write(data, end, () => this.socket?.drawn(end));
  }

  redraw(redraw: Redraw, continues: boolean): void {
    this.view?.redraw(redraw, continues, () => this.socket?.drawn(redraw.offset));
  }

  lines(lines: Lines): void {
    this.view?.lines(lines);
  }

  unanswered(): void {
    this.view?.unanswered();
  }

  resize(rows: number, cols: number, owner: boolean): void {
    this.sized(rows, cols, owner);
  }

  titled(title: string): void {
    this.tell({ title });
  }

  access({ writable, id }: Access): void {
    this.tell({ ownId: id });
    this.permit(writable);
  }

  present(presence: Presence): void {
    this.tell({ presence });
  }

  exit(exit: Exit): void {
    this.view?.end();
    this.tell({ exit });
  }

  error(code: number, text: string): void {
    // The right to type was taken while input was on its way. The message about that has come, or will.
    if (code === READ_ONLY) this.hint(HINTS.watching);
    else this.tell({ notice: `Server error: ${text}` });
  }

  latency(latency_ms: number): void {
    this.tell({ latency_ms });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "vt-terminal": VtTerminal;
  }
}
