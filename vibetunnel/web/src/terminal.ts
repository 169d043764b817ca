/**
 * The screen: owns xterm.js. It draws what it is given at the session's size, and says what was typed and what would
 * fit. It knows no socket.
 */

import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { type IDisposable, Terminal } from "@xterm/xterm";

import { copyText } from "./clipboard.js";
import { type Box, fit, scaledFont } from "./fit.js";
import { type BarKey, controlText, keyText } from "./keys.js";
import { DARK, LIGHT, MINIMUM_CONTRAST } from "./palette.js";
import { isReport, swallowQueries } from "./queries.js";
import type { Viewport } from "./socket.js";
import { TouchInput } from "./touch.js";

const FONT = '"Cascadia Mono", ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const FONT_SIZE = 14;
const FONT_SIZE_NARROW = 13; // keeps 48 columns on a phone of 390 px
const NARROW = 600; // CSS pixels
const FONT_WAIT_MS = 1500; // then the first frame is drawn with what the system has
const RESIZE_DEBOUNCE_MS = 80;
const SCROLLBACK = 10_000; // lines
const SCROLLBAR = 12; // CSS pixels, kept free beside the last column

export interface ScreenListener {
  /** Typed or pasted, or a terminal's own answer: bytes for the PTY. */
  input(data: Uint8Array): void;
  /** What fits has changed. */
  viewport(viewport: Viewport): void;
  bell(): void;
  selection(selected: boolean): void;
}

export class Screen {
  /** What fits at the normal font size; {0, 0} until open() is done. */
  viewport: Viewport = { rows: 0, cols: 0 };
  /** Armed by the key bar: the next character is sent with Ctrl. */
  controlNext = false;
  onControlUsed: () => void = () => undefined;

  private readonly term: Terminal;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly coarse = matchMedia("(pointer: coarse)");
  private readonly stopping = new AbortController();
  private readonly disposables: IDisposable[] = [];
  private readonly observer: ResizeObserver;
  private readonly utf8 = new TextEncoder();

  private cell: Box = { width: 8, height: 17 }; // at the normal font size
  private size: Viewport | undefined; // the session's; undefined until the server has said it
  private owner = true;
  private drawnTo = 0n; // end of the output that the parser has finished
  private live = 0n; // below it is history
  private resizeTimer: ReturnType<typeof setTimeout> | undefined;
  private keyboardInset = 0;
  private disposed = false;

  /** `host` is empty, has a size, and scrolls what does not fit. */
  constructor(
    private readonly host: HTMLElement,
    private readonly listener: ScreenListener,
  ) {
    this.term = new Terminal({
      allowProposedApi: true, // unicode versions
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      drawBoldTextInBrightColors: false,
      fontFamily: FONT,
      fontSize: this.baseFont(),
      linkHandler: { activate: (_event, uri) => openLink(uri) },
      macOptionClickForcesSelection: true,
      overviewRuler: { width: this.scrollbar() },
      rightClickSelectsWord: true,
      scrollback: SCROLLBACK,
      ...this.colours(),
    });
    this.observer = new ResizeObserver(() => this.measureSoon());
  }

  /** Draw the first, empty frame and measure what fits. */
  async open(): Promise<void> {
    await fontsLoaded(this.baseFont());
    if (this.disposed) return;
    const { term } = this;
    term.open(this.host);
    term.loadAddon(new Unicode11Addon());
    term.unicode.activeVersion = "11";
    term.loadAddon(new WebLinksAddon((_event, uri) => openLink(uri)));
    this.useWebgl();
    this.prepareTextarea();
    this.disposables.push(
      ...swallowQueries(term.parser, () => this.silent()),
      term.onData((data) => this.typed(data)),
      term.onBinary((data) => this.listener.input(Uint8Array.from(data, (char) => char.charCodeAt(0)))),
      term.onBell(() => this.live <= this.drawnTo && this.listener.bell()),
      term.onSelectionChange(() => this.listener.selection(term.hasSelection())),
      term.onWriteParsed(() => this.followCursor()),
    );
    term.attachCustomKeyEventHandler((event) => this.keyPressed(event));
    this.disposables.push(new TouchInput(this.host, term, () => this.cellNow()));
    this.dark.addEventListener("change", () => Object.assign(term.options, this.colours()), {
      signal: this.stopping.signal,
    });
    document.fonts.addEventListener("loadingdone", () => term.clearTextureAtlas(), { signal: this.stopping.signal });
    this.cell = this.cellNow();
    this.viewport = fit(this.box(), this.cell);
    this.term.resize(this.viewport.cols, this.viewport.rows);
    this.observer.observe(this.host);
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.resizeTimer);
    this.stopping.abort();
    this.observer.disconnect();
    for (const each of this.disposables) each.dispose();
    this.term.dispose();
  }

  get rows(): number {
    return this.term.rows;
  }

  get cols(): number {
    return this.term.cols;
  }

  /** End of the output that is on the screen. */
  get offset(): bigint {
    return this.drawnTo;
  }

  get selected(): string {
    return this.term.getSelection();
  }

  /** The rows that are visible, without the blanks at their ends. */
  text(): string {
    const buffer = this.term.buffer.active;
    const lines: string[] = [];
    for (let row = 0; row < this.term.rows; row++) {
      lines.push(buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? "");
    }
    return lines.join("\n").trimEnd();
  }

  /** A stream begins at `start`; what lies below `live` is history. `fresh`: nothing of the old screen remains. */
  begin(start: bigint, live: bigint, fresh: boolean): void {
    this.live = live;
    if (!fresh) return;
    // RIS, in line with what is still being parsed; term.reset() would overtake it.
    this.term.write("\x1bc", () => {
      this.drawnTo = start;
    });
  }

  /** Draw output that ends at offset `end`; `drawn` is called when it is on the screen. */
  write(data: Uint8Array, end: bigint, drawn: () => void): void {
    const start = end - BigInt(data.length);
    if (start < this.live && this.live < end) {
      // Cut where history ends, so that silent() changes between two bytes.
      const history = Number(this.live - start);
      this.write(data.subarray(0, history), this.live, () => undefined);
      this.write(data.subarray(history), end, drawn);
      return;
    }
    this.term.write(data, () => {
      this.drawnTo = end;
      drawn();
    });
  }

  /** The program is over: nothing waits for input, so there is no cursor. */
  end(): void {
    this.term.write("\x1b[?25l");
  }

  /** Take the session's size, behind what is still being parsed at the old one. */
  resize(rows: number, cols: number, owner: boolean): void {
    this.owner = owner;
    this.term.write("", () => {
      if (this.disposed) return;
      this.size = { rows, cols };
      if (rows !== this.term.rows || cols !== this.term.cols) this.term.resize(cols, rows);
      this.scale();
    });
  }

  /** The height that the on-screen keyboard covers. It resizes nothing: the screen is scrolled to the cursor. */
  setKeyboardInset(pixels: number): void {
    if (this.keyboardInset === pixels) return;
    this.keyboardInset = pixels;
    this.followCursor();
  }

  focus(): void {
    this.term.focus();
  }

  press(key: BarKey): void {
    const text = keyText(key, this.term.modes.applicationCursorKeysMode, this.controlNext);
    this.useControl();
    this.term.input(text);
  }

  paste(text: string): void {
    this.term.paste(text);
  }

  async copy(): Promise<boolean> {
    const copied = await copyText(this.term.getSelection());
    if (copied) this.term.clearSelection();
    return copied;
  }

  private typed(data: string): void {
    if (isReport(data) && this.silent()) return;
    const text = this.controlNext ? controlText(data) : data;
    this.useControl();
    this.listener.input(this.utf8.encode(text));
  }

  private useControl(): void {
    if (!this.controlNext) return;
    this.controlNext = false;
    this.onControlUsed();
  }

  /** Whether queries stay unanswered: in history, and where another client is the one that answers. */
  private silent(): boolean {
    return !this.owner || this.drawnTo < this.live;
  }

  private keyPressed(event: KeyboardEvent): boolean {
    if (event.type !== "keydown" || event.altKey) return true;
    const key = event.key.toLowerCase();
    const selected = this.term.hasSelection();
    const command = event.metaKey && !event.ctrlKey;
    const control = event.ctrlKey && !event.metaKey;
    const copies = key === "c" && (command || (control && (event.shiftKey || selected)));
    if (copies) {
      event.preventDefault(); // Ctrl+Shift+C is a browser's inspector
      if (selected) void this.copy();
      return false;
    }
    // The browser's own paste: it arrives as a paste event, which xterm.js takes.
    if (key === "v" && (command || (control && event.shiftKey))) return false;
    return true;
  }

  private colours(): { theme: typeof DARK; minimumContrastRatio: number } {
    return { theme: this.dark.matches ? DARK : LIGHT, minimumContrastRatio: MINIMUM_CONTRAST };
  }

  private baseFont(): number {
    return innerWidth < NARROW ? FONT_SIZE_NARROW : FONT_SIZE;
  }

  private scrollbar(): number {
    return this.coarse.matches ? 1 : SCROLLBAR; // fingers scroll without one; 0 would mean the default
  }

  /** Draw with WebGL where there is one; xterm.js falls back to the DOM when the add-on goes. */
  private useWebgl(): void {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.term.loadAddon(webgl);
    } catch {
      // no WebGL here: the DOM renderer is in place already
    }
  }

  private prepareTextarea(): void {
    const { textarea } = this.term;
    if (!textarea) return;
    textarea.setAttribute("autocomplete", "off");
    textarea.setAttribute("aria-label", "Terminal");
  }

  /** The size of a cell at the present font size. */
  private cellNow(): Box {
    const screen = this.host.querySelector(".xterm-screen")?.getBoundingClientRect();
    if (!screen || screen.width === 0 || screen.height === 0) return this.cell;
    return { width: screen.width / this.term.cols, height: screen.height / this.term.rows };
  }

  /** The space for cells, as it is without an on-screen keyboard. */
  private box(): Box {
    const style = getComputedStyle(this.host);
    const horizontal = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
    const vertical = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
    return {
      width: this.host.clientWidth - horizontal - this.scrollbar(),
      height: this.host.clientHeight + this.keyboardInset - vertical,
    };
  }

  private measureSoon(): void {
    clearTimeout(this.resizeTimer);
    this.resizeTimer = setTimeout(() => this.measure(), RESIZE_DEBOUNCE_MS);
  }

  private measure(): void {
    if (this.host.clientWidth === 0 || this.host.clientHeight === 0) return; // not shown
    const next = fit(this.box(), this.cell);
    const changed = next.rows !== this.viewport.rows || next.cols !== this.viewport.cols;
    this.viewport = next;
    this.scale();
    this.followCursor();
    if (changed) this.listener.viewport(next);
  }

  /** Choose the font size: the normal one for our own size, a smaller one where another's would not fit. */
  private scale(): void {
    if (!this.size) return;
    const base = this.baseFont();
    const font = this.owner ? base : scaledFont(this.box(), this.cell, this.size, base);
    if (this.term.options.fontSize !== font) this.term.options.fontSize = font;
    const { element } = this.term;
    if (element) element.style.width = `${Math.ceil(this.cellNow().width * this.term.cols) + this.scrollbar()}px`;
    this.followCursor();
  }

  /** Scroll the host so that the cursor's row is in view; only needed where the screen is larger than the host. */
  private followCursor(): void {
    const { host } = this;
    if (host.scrollHeight <= host.clientHeight) return;
    const buffer = this.term.buffer.active;
    if (buffer.viewportY !== buffer.baseY) return; // somebody reads the scrollback
    const { height } = this.cellNow();
    const bottom = (buffer.cursorY + 1) * height + 2 * parseFloat(getComputedStyle(host).paddingTop);
    if (bottom > host.scrollTop + host.clientHeight) host.scrollTop = bottom - host.clientHeight;
    else if (bottom - 3 * height < host.scrollTop) host.scrollTop = Math.max(0, bottom - 3 * height);
  }
}

/** Wait for the fonts of the first frame: cells measured with another font would have the wrong size. */
async function fontsLoaded(size: number): Promise<void> {
  const samples = ["W", "─"].flatMap((sample) => [
    document.fonts.load(`${size}px "Cascadia Mono"`, sample),
    document.fonts.load(`bold ${size}px "Cascadia Mono"`, sample),
  ]);
  const patience = new Promise((resolve) => setTimeout(resolve, FONT_WAIT_MS));
  await Promise.race([Promise.allSettled(samples), patience]);
}

/** Programs print links; only those of the web are followed, and the new page learns nothing of this one. */
function openLink(uri: string): void {
  if (/^https?:\/\//i.test(uri)) window.open(uri, "_blank", "noopener,noreferrer");
}
