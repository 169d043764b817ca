/**
 * The screen: owns xterm.js. It draws output at the session's size, and reports what was typed and which size would
 * fit. It knows no socket.
 */

import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { type IDisposable, Terminal } from "@xterm/xterm";

import { withoutTiles } from "./album.js";
import { copyText } from "./clipboard.js";
import { Colours } from "./colours.js";
import { DoubleRows } from "./double-rows.js";
import { type FileOpener, FileLinkProvider } from "./file-link-provider.js";
import { type Box, fit, scaledFont } from "./fit.js";
import { History } from "./history.js";
import { KeyboardInput } from "./keyboard-input.js";
import { type BarKey, pressOf, pressOfBar } from "./keys.js";
import { MouseModes } from "./mouse-modes.js";
import { Overlay } from "./overlay.js";
import { DARK, LIGHT, MINIMUM_CONTRAST, type Theme, themeColours } from "./palette.js";
import { takePastes } from "./paste-input.js";
import { insertedControls, pasted, unaskedPaste } from "./paste.js";
import { type Appearance, type Lines, MAX_CELL, type Redraw } from "./protocol.js";
import { Queries, isFocusReport, isMouseReport } from "./queries.js";
import { type Request, SCROLLBACK } from "./scrollback.js";
import type { Viewport } from "./socket.js";
import { TouchInput } from "./touch.js";
import { Widths } from "./unicode.js";

const FONT = '"Cascadia Mono", ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const FONT_SIZE = 14;
const FONT_SIZE_NARROW = 13; // keeps 48 columns on a phone of 390 px
const NARROW = 600; // CSS pixels
const FONT_WAIT_MS = 1500; // then the first frame is drawn with the system's font
const RESIZE_DEBOUNCE_MS = 80;
const CURSOR_BLINK = 12; // DECSET
const SCROLLBAR = 12; // CSS pixels, kept free beside the last column

export interface ScreenListener {
  /** Bytes for the PTY: typed, pasted, or reports of mouse and focus. */
  input(data: Uint8Array): void;
  /** Ask the user whether to call pasteLines(). The program takes each line end as Enter. */
  askToPaste(text: string): void;
  /** The size that fits has changed. */
  viewport(viewport: Viewport): void;
  /** The theme or the pixels of a cell may have changed. */
  appearance(): void;
  bell(): void;
  selection(selected: boolean): void;
  /** Request older lines. Returns whether an answer can be expected. */
  ask(request: Request): boolean;
}

export class Screen {
  /** The size that fits at the normal font size; {0, 0} until open() is done. */
  viewport: Viewport = { rows: 0, cols: 0 };
  /** Armed by the key bar: the next character is sent with Ctrl. */
  controlNext = false;
  onControlUsed: () => void = () => undefined;
  /** Opens the places in files that programs print; undefined: they are no links. */
  fileOpener: FileOpener | undefined;

  private readonly term: Terminal;
  private readonly colours: Colours;
  private readonly queries: Queries;
  private readonly keyboard: KeyboardInput;
  private readonly mouse: MouseModes;
  private readonly history: History;
  private readonly calm = matchMedia("(prefers-reduced-motion: reduce)");
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly coarse = matchMedia("(pointer: coarse)");
  private readonly stopping = new AbortController();
  private readonly disposables: IDisposable[] = [];
  private readonly observer: ResizeObserver;
  private readonly utf8 = new TextEncoder();

  private cell: Box = { width: 8, height: 17 }; // at the normal font size
  private size: Viewport | undefined; // the session's; undefined until the server has told it
  private owner = true;
  private readOnly = false;
  private drawnTo = 0n; // offset up to which the parser has finished
  private live = 0n; // output below this offset is older than this attach
  private resizeTimer: ReturnType<typeof setTimeout> | undefined;
  private keyboardInset = 0;
  private pointer = "mouse"; // the pointer used last
  private disposed = false;

  /** `host` must be empty, have a size, and scroll what does not fit. */
  constructor(
    private readonly host: HTMLElement,
    private readonly listener: ScreenListener,
    pictureUrl: (key: string) => string,
  ) {
    this.term = new Terminal({
      allowProposedApi: true, // unicode versions
      cursorBlink: !this.calm.matches,
      drawBoldTextInBrightColors: false,
      fontFamily: FONT,
      fontSize: this.baseFont(),
      linkHandler: {
        activate: (event, uri) => this.follow(event, uri),
        hover: (_event, uri) => (this.host.title = this.linkTitle(uri)),
        leave: () => (this.host.title = ""),
        allowNonHttpProtocols: true, // openLink() checks which
      },
      macOptionClickForcesSelection: true,
      overviewRuler: { width: this.scrollbar() },
      rightClickSelectsWord: true,
      scrollback: SCROLLBACK,
      minimumContrastRatio: MINIMUM_CONTRAST,
    });
    this.colours = new Colours(this.term.parser, () => this.paint());
    this.paint();
    this.queries = new Queries(this.term.parser);
    this.keyboard = new KeyboardInput(this.term);
    this.mouse = new MouseModes(this.term.parser);
    this.disposables.push(new Overlay(this.term, pictureUrl));
    this.history = new History(this.term, host, (request) => listener.ask(request));
    this.observer = new ResizeObserver(() => this.measureSoon());
  }

  /** Draw the first, empty frame and measure what fits. */
  async open(): Promise<void> {
    await fontsLoaded(this.baseFont());
    if (this.disposed) return;
    const { term } = this;
    term.open(this.host);
    const widths = new Widths();
    term.unicode.register(widths);
    term.unicode.activeVersion = widths.version;
    term.loadAddon(new WebLinksAddon((_event, uri) => openLink(uri)));
    this.useWebgl();
    this.prepareTextarea();
    if (term.textarea) this.keyboard.listen(term.textarea, this.stopping.signal);
    const doubles = new DoubleRows(term);
    this.disposables.push(
      ...widths.follow(term.parser),
      doubles,
      term.registerLinkProvider(
        new FileLinkProvider(
          term,
          () => this.fileOpener,
          () => this.pointer !== "mouse",
        ),
      ),
      // A redraw sets every mode. A cursor that the program has not set to blink (?12) blinks as this client's do.
      term.parser.registerCsiHandler({ prefix: "?", final: "l" }, (params) => {
        return params.length === 1 && params[0] === CURSOR_BLINK && this.history.replaying;
      }),
      term.onData((data) => this.typed(this.mouse.encoded(data))),
      term.onBinary((data) => {
        if (!this.readOnly) this.listener.input(Uint8Array.from(data, (char) => char.charCodeAt(0))); // the mouse
      }),
      term.onBell(() => this.belled()),
      term.onSelectionChange(() => this.listener.selection(term.hasSelection())),
      term.onWriteParsed(() => this.followCursor()),
    );
    term.attachCustomKeyEventHandler((event) => this.keyPressed(event));
    this.host.addEventListener("pointerdown", ({ pointerType }) => (this.pointer = pointerType), {
      signal: this.stopping.signal,
    });
    takePastes(this.host, (text) => this.paste(text), this.stopping.signal);
    const column = (row: number, seen: number): number => doubles.column(row, seen);
    this.disposables.push(new TouchInput(this.host, term, () => this.cellNow(), column));
    this.dark.addEventListener("change", () => this.recolour(), { signal: this.stopping.signal });
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
    this.history.dispose();
    this.colours.dispose();
    this.queries.dispose();
    this.keyboard.dispose();
    this.mouse.dispose();
    for (const each of this.disposables) each.dispose();
    this.term.dispose();
  }

  get rows(): number {
    return this.term.rows;
  }

  get cols(): number {
    return this.term.cols;
  }

  /** Offset up to which the screen is drawn. */
  get offset(): bigint {
    return this.drawnTo;
  }

  get selected(): string {
    return withoutTiles(this.term.getSelection());
  }

  /** The visible rows, without trailing blanks. */
  text(): string {
    const buffer = this.term.buffer.active;
    const lines: string[] = [];
    for (let row = 0; row < this.term.rows; row++) {
      lines.push(buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? "");
    }
    return withoutTiles(lines.join("\n")).trimEnd();
  }

  /**
   * A stream begins at `start`, for a terminal of this size. Output below `live` was printed before the attach.
   * `fresh`: clear the old screen.
   */
  begin(start: bigint, live: bigint, fresh: boolean, size: Viewport): void {
    this.live = live;
    this.history.begin(fresh);
    this.term.write("", () => {
      if (this.disposed) return;
      if (fresh) this.drawnTo = start;
      if (size.rows !== this.term.rows || size.cols !== this.term.cols) this.term.resize(size.cols, size.rows);
      this.sized(size);
    });
  }

  /** Draw output that ends at offset `end`; `drawn` is called when it is on the screen. */
  write(data: Uint8Array, end: bigint, drawn: () => void): void {
    this.history.output(data, () => {
      this.drawnTo = end;
      drawn();
    });
  }

  /** Draw everything anew. `continues`: it was requested, and the screen shows it already. */
  redraw(redraw: Redraw, continues: boolean, drawn: () => void): void {
    this.history.redraw(redraw, continues, () => {
      this.drawnTo = redraw.offset;
      this.sized(redraw);
      drawn();
    });
  }

  /** Some of the older lines that were requested. */
  lines(lines: Lines): void {
    this.history.lines(lines);
  }

  /** No answer to the request will come. */
  unanswered(): void {
    this.history.unanswered();
  }

  /** The program has ended: it takes no input. */
  end(): void {
    this.history.end();
  }

  /** Whether this client owns the size. A new size comes with the redraw that follows. */
  setOwner(owner: boolean): void {
    this.owner = owner;
    this.scale();
  }

  /** Whether this client may only watch. Typing is still reported, so that the page can say that it is not sent. */
  setReadOnly(readOnly: boolean): void {
    this.readOnly = readOnly;
    if (readOnly && this.controlNext) this.useControl();
    this.term.options.cursorBlink = !readOnly && !this.calm.matches;
    const { textarea } = this.term;
    if (!textarea) return;
    if (readOnly) textarea.inputMode = "none"; // no on-screen keyboard
    else textarea.removeAttribute("inputmode");
  }

  /** The height that the on-screen keyboard covers. It does not resize the screen, which scrolls to the cursor. */
  setKeyboardInset(pixels: number): void {
    if (this.keyboardInset === pixels) return;
    this.keyboardInset = pixels;
    this.followCursor();
  }

  focus(): void {
    this.term.focus();
  }

  press(key: BarKey): void {
    const bytes = this.keyboard.bytes(pressOfBar(key, this.controlNext));
    this.useControl();
    if (bytes !== undefined) this.term.input(bytes);
  }

  /** Paste text from elsewhere. Several lines that a program would take one by one first wait for the user. */
  paste(text: string): void {
    if (this.term.textarea) this.term.textarea.value = ""; // a composition may have put the text there too
    const bracketed = this.term.modes.bracketedPasteMode;
    const input = bracketed ? pasted(text, true) : unaskedPaste(text);
    if (input === undefined) this.listener.askToPaste(text);
    else this.insert(input);
  }

  /** Paste several lines that the user has agreed to. */
  pasteLines(text: string): void {
    this.insert(pasted(text, this.term.modes.bracketedPasteMode));
  }

  private insert(input: string): void {
    this.useControl(); // a pasted character is not pressed with Ctrl
    this.term.input(input);
  }

  async copy(): Promise<boolean> {
    const copied = await copyText(this.selected);
    if (copied) this.term.clearSelection();
    return copied;
  }

  private typed(data: string): void {
    if (this.queries.answering) return;
    if (this.readOnly && (isFocusReport(data) || isMouseReport(data))) return; // not typing
    if (insertedControls(data, this.term.textarea?.value ?? "")) {
      this.paste(data);
      return;
    }
    const text = this.controlNext ? (this.keyboard.bytes(pressOf(data, true)) ?? data) : data;
    this.useControl();
    this.listener.input(this.utf8.encode(text));
  }

  private useControl(): void {
    if (!this.controlNext) return;
    this.controlNext = false;
    this.onControlUsed();
  }

  private belled(): void {
    if (!this.history.replaying && this.drawnTo >= this.live) this.listener.bell();
  }

  private sized({ rows, cols }: Viewport): void {
    this.size = { rows, cols };
    this.scale();
  }

  /** Returns whether xterm.js goes on with the event. */
  private keyPressed(event: KeyboardEvent): boolean {
    if (event.type === "keydown" && !event.altKey && this.copiesOrPastes(event)) return false;
    const keeper = this.keyboard.keeps(event);
    if (keeper) return keeper === "xterm";
    if (this.readOnly && event.type === "keyup") return true; // a release types nothing
    const bytes = this.keyboard.pressed(event, this.controlNext);
    if (bytes === undefined) return true;
    if (event.key.length === 1 || !/^(Alt|AltGraph|Control|Meta|Shift|\w+Lock)$/.test(event.key)) {
      event.preventDefault();
      event.stopPropagation();
    }
    this.useControl();
    this.term.input(bytes, event.type === "keydown");
    return false;
  }

  private copiesOrPastes(event: KeyboardEvent): boolean {
    const key = event.key.toLowerCase();
    const selected = this.term.hasSelection();
    const command = event.metaKey && !event.ctrlKey;
    const control = event.ctrlKey && !event.metaKey;
    const copies = key === "c" && (command || (control && (event.shiftKey || selected)));
    if (copies) {
      event.preventDefault(); // Ctrl+Shift+C opens the browser's inspector
      if (selected) void this.copy();
      return true;
    }
    // The browser's own paste: it arrives as a paste event.
    return key === "v" && (command || (control && event.shiftKey));
  }

  /** This client's theme and the size of its cells, in the pixels of the screen. */
  get appearance(): Appearance {
    const pixels = (length: number): number => Math.min(MAX_CELL, Math.round(length * devicePixelRatio));
    const cell = { cellHeight: pixels(this.cell.height), cellWidth: pixels(this.cell.width) };
    return { dark: this.dark.matches, ...cell, colours: themeColours(this.theme) };
  }

  private recolour(): void {
    this.paint();
    this.listener.appearance();
  }

  /** A link's text need not be its address, so a mere click does not follow it; a tap does. */
  private follow(event: MouseEvent, uri: string): void {
    if (event.ctrlKey || event.metaKey || this.pointer !== "mouse") openLink(uri);
  }

  private linkTitle(uri: string): string {
    if (this.coarse.matches || !isFollowed(uri)) return uri;
    return `${uri}\n(${/Mac/.test(navigator.platform) ? "Cmd" : "Ctrl"}+click to open)`;
  }

  /** This client's theme, without the program's colours. */
  private get theme(): Theme {
    return this.dark.matches ? DARK : LIGHT;
  }

  /** Draw with the theme and the program's colours, if they differ from what is drawn. */
  private paint(): void {
    const theme = this.colours.over(this.theme);
    if (JSON.stringify(theme) === JSON.stringify(this.term.options.theme)) return; // most redraws change nothing
    this.term.options.theme = theme;
    this.host.style.background = theme.background === this.theme.background ? "" : theme.background; // around the screen
  }

  private baseFont(): number {
    return innerWidth < NARROW ? FONT_SIZE_NARROW : FONT_SIZE;
  }

  private scrollbar(): number {
    return this.coarse.matches ? 1 : SCROLLBAR; // touch scrolls without one; 0 would mean the default
  }

  /** Draw with WebGL if possible; xterm.js falls back to the DOM when the add-on is disposed. */
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

  /** The size of a cell at the current font size. */
  private cellNow(): Box {
    const screen = this.host.querySelector(".xterm-screen")?.getBoundingClientRect();
    if (!screen || screen.width === 0 || screen.height === 0) return this.cell;
    return { width: screen.width / this.term.cols, height: screen.height / this.term.rows };
  }

  /** The space for cells without an on-screen keyboard. */
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
    this.listener.appearance(); // zooming changes the pixels
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

  /** Scroll the host so that the cursor's row is in view; needed only if the screen is larger than the host. */
  private followCursor(): void {
    const { host } = this;
    if (host.scrollHeight <= host.clientHeight) return;
    const buffer = this.term.buffer.active;
    if (buffer.viewportY !== buffer.baseY) return; // the user reads the scrollback
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

/** The schemes of printed links that are followed. */
function isFollowed(uri: string): boolean {
  return /^(https?:\/\/|mailto:)/i.test(uri);
}

/** Open a link in a page that learns nothing about this one. */
function openLink(uri: string): void {
  if (!isFollowed(uri)) return;
  const link = document.createElement("a");
  link.href = uri;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.click();
}
