/**
 * Rows of double width and height (DECDWL, DECDHL), which xterm.js lacks: each is drawn over xterm.js's row, scaled.
 *
 * xterm.js's buffer has the row's text as the server has it. So the mouse, when it selects or follows a link, gets the
 * place of the character that is seen. Reports to the program keep single columns, as in xterm. A marker moves with the
 * row, and xterm.js disposes of it when the row is erased or dropped.
 */

import type { IBufferCell, IDisposable, IMarker, ITheme, Terminal } from "@xterm/xterm";

import { NAMES } from "./palette.js";

type Size = "width" | "top" | "bottom";

const SIZES: Record<string, Size | undefined> = { "3": "top", "4": "bottom", "6": "width" };
const MOUSE = ["mousedown", "mousemove", "mouseup"] as const; // where xterm.js looks for a place to select or a link
const CURSOR_VISIBLE = 25; // DECTCEM
const MAC = /Mac/.test(navigator.platform);

interface Row {
  readonly marker: IMarker;
  readonly alternate: boolean;
  readonly size: Size;
}

export class DoubleRows implements IDisposable {
  private rows: Row[] = [];
  private readonly layer = document.createElement("div");
  private readonly disposables: IDisposable[];
  private readonly stopping = new AbortController();
  private frame = 0;
  private cursor = true; // it is visible
  private selecting = false; // a button is down that selects

  /** `term` must be open. */
  constructor(private readonly term: Terminal) {
    this.layer.className = "double-rows";
    this.layer.setAttribute("aria-hidden", "true"); // the text is in xterm.js's own rows
    term.element?.querySelector(".xterm-screen")?.append(this.layer);
    this.disposables = [
      ...["3", "4", "5", "6"].map((final) =>
        term.parser.registerEscHandler({ intermediates: "#", final }, () => {
          this.set(SIZES[final]);
          return true;
        }),
      ),
      ...(["h", "l"] as const).map((final) =>
        term.parser.registerCsiHandler({ prefix: "?", final }, (params) => {
          return params.includes(CURSOR_VISIBLE) && this.showCursor(final === "h");
        }),
      ),
      term.parser.registerEscHandler({ final: "c" }, () => this.showCursor(true)),
      term.parser.registerCsiHandler({ intermediates: "!", final: "p" }, () => this.showCursor(true)),
      term.parser.registerCsiHandler({ final: "J" }, () => {
        queueMicrotask(() => this.draw()); // after xterm.js has disposed of the markers
        return false;
      }),
      term.onRender(() => this.draw()),
      term.onScroll(() => this.draw()),
      term.onResize(() => this.draw()),
      term.onSelectionChange(() => this.draw()),
    ];
    const capture = { capture: true, signal: this.stopping.signal };
    for (const type of MOUSE) document.addEventListener(type, (event) => this.place(event), capture);
  }

  /** The column of a row of the buffer that is seen at column `seen` of the screen. */
  column(line: number, seen: number): number {
    return this.sizeOf(line) ? Math.floor(seen / 2) : seen;
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.stopping.abort();
    for (const each of [...this.disposables, ...this.rows.map((row) => row.marker)]) each.dispose();
    this.layer.remove();
  }

  private set(size: Size | undefined): void {
    const buffer = this.term.buffer.active;
    const line = buffer.baseY + buffer.cursorY;
    const alternate = buffer.type === "alternate";
    for (const row of this.rows.filter((each) => each.alternate === alternate && each.marker.line === line)) {
      row.marker.dispose();
    }
    if (size) this.rows.push({ marker: this.term.registerMarker(0), alternate, size });
    this.draw();
  }

  /** Returns that xterm.js handles the sequence, too. */
  private showCursor(shown: boolean): false {
    this.cursor = shown;
    return false;
  }

  private sizeOf(line: number): Size | undefined {
    const alternate = this.term.buffer.active.type === "alternate";
    return this.rows.find((row) => row.alternate === alternate && row.marker.line === line)?.size;
  }

  /** Give xterm.js the place of an event where it has the character that is seen there. */
  private place(event: MouseEvent): void {
    const { term } = this;
    const inside = event.target instanceof Node && term.element?.contains(event.target) === true;
    const free = term.modes.mouseTrackingMode === "none"; // the program does not get the mouse
    if (event.type === "mousedown") this.selecting = inside && (free || (MAC ? event.altKey : event.shiftKey));
    const pressed = event.buttons !== 0 || event.type === "mouseup";
    const screen = term.element?.querySelector(".xterm-screen")?.getBoundingClientRect();
    if (this.rows.length === 0 || !screen || !(pressed ? this.selecting : inside && free)) return;
    if (pressed) this.drawSoon(); // xterm.js does not tell of a selection that grows
    const row = Math.floor(((event.clientY - screen.top) / screen.height) * term.rows);
    if (!this.sizeOf(term.buffer.active.viewportY + row)) return;
    Object.defineProperty(event, "clientX", { value: screen.left + Math.max(0, event.clientX - screen.left) / 2 });
  }

  private drawSoon(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.rows = this.rows.filter((row) => !row.marker.isDisposed);
    if (this.rows.length === 0 && this.layer.childElementCount === 0) return;
    const { term } = this;
    const screen = term.element?.querySelector(".xterm-screen")?.getBoundingClientRect();
    if (!screen) return;
    const width = screen.width / term.cols;
    const height = screen.height / term.rows;
    const buffer = term.buffer.active;
    const shown = this.rows.filter(({ marker, alternate }) => {
      const row = marker.line - buffer.viewportY;
      return alternate === (buffer.type === "alternate") && row >= 0 && row < term.rows;
    });
    this.layer.replaceChildren(
      ...shown.map(({ marker, size }) => {
        const box = document.createElement("div");
        box.className = "double-row";
        box.style.top = `${(marker.line - buffer.viewportY) * height}px`;
        box.style.height = `${height}px`;
        box.style.background = term.options.theme?.background ?? "";
        const text = document.createElement("div");
        text.style.cssText = `transform-origin:0 ${size === "bottom" ? "100%" : "0"};transform:scale(2,${size === "width" ? 1 : 2})`;
        text.style.font = `${term.options.fontSize ?? 0}px / ${height}px ${term.options.fontFamily ?? "monospace"}`;
        text.style.height = `${height}px`;
        text.append(...this.cells(marker.line, width));
        box.append(text);
        return box;
      }),
    );
  }

  /** The left half of a row, a span for each character. */
  private cells(number: number, width: number): HTMLElement[] {
    const { term } = this;
    const buffer = term.buffer.active;
    const line = buffer.getLine(number);
    const cursor = this.cursor && number === buffer.baseY + buffer.cursorY ? buffer.cursorX : -1;
    const spans: HTMLElement[] = [];
    for (let col = 0; line && col < term.cols / 2; col++) {
      const cell = line.getCell(col);
      if (!cell || cell.getWidth() === 0) continue;
      const span = document.createElement("span");
      span.textContent = cell.getChars() || " ";
      span.style.width = `${cell.getWidth() * width}px`;
      this.dress(span, cell, col === cursor, this.selected(number, col));
      spans.push(span);
    }
    return spans;
  }

  private selected(line: number, col: number): boolean {
    const selection = this.term.getSelectionPosition();
    if (!selection) return false;
    const { start, end } = selection;
    const order = (y: number, x: number): number => y * this.term.cols + x;
    return order(line, col) >= order(start.y, start.x) && order(line, col) < order(end.y, end.x);
  }

  private dress(span: HTMLElement, cell: IBufferCell, cursor: boolean, selected: boolean): void {
    const theme = this.term.options.theme ?? {};
    let fg = colour(cell.getFgColor(), cell.isFgRGB(), cell.isFgPalette(), theme) ?? theme.foreground ?? "";
    let bg = colour(cell.getBgColor(), cell.isBgRGB(), cell.isBgPalette(), theme) ?? theme.background ?? "";
    if (Boolean(cell.isInverse()) !== cursor) [fg, bg] = [bg, fg];
    span.style.color = cell.isInvisible() ? "transparent" : fg;
    span.style.background = bg;
    const { selectionBackground: over = "" } = theme; // translucent
    if (selected) span.style.backgroundImage = `linear-gradient(${over}, ${over})`;
    if (cell.isBold()) span.style.fontWeight = "bold";
    if (cell.isItalic()) span.style.fontStyle = "italic";
    if (cell.isDim()) span.style.opacity = "0.5";
    const lines = [
      cell.isUnderline() && "underline",
      cell.isStrikethrough() && "line-through",
      cell.isOverline() && "overline",
    ];
    span.style.textDecoration = lines.filter(Boolean).join(" ");
  }
}

/** A cell's colour for CSS; undefined: the default. */
function colour(value: number, rgb: boolean, palette: boolean, theme: ITheme): string | undefined {
  if (rgb) return `#${value.toString(16).padStart(6, "0")}`;
  if (!palette) return undefined;
  const name = NAMES[value];
  return name ? theme[name] : theme.extendedAnsi?.[value - NAMES.length];
}
