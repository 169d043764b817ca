/**
 * Rows of double width and height (DECDWL, DECDHL), which xterm.js lacks: each is drawn over xterm.js's row, scaled.
 *
 * xterm.js's buffer has the row's text as the server has it, so selecting and copying work on the buffer's columns. A
 * marker moves with the row, and xterm.js disposes of it when the row is erased or dropped.
 */

import type { IBufferCell, IDisposable, IMarker, ITheme, Terminal } from "@xterm/xterm";

type Size = "width" | "top" | "bottom";

const SIZES: Record<string, Size | undefined> = { "3": "top", "4": "bottom", "6": "width" };

interface Row {
  readonly marker: IMarker;
  readonly alternate: boolean;
  readonly size: Size;
}

export class DoubleRows implements IDisposable {
  private rows: Row[] = [];
  private readonly layer = document.createElement("div");
  private readonly disposables: IDisposable[];

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
      term.parser.registerCsiHandler({ final: "J" }, () => {
        queueMicrotask(() => this.draw()); // after xterm.js has disposed of the markers
        return false;
      }),
      term.onRender(() => this.draw()),
      term.onScroll(() => this.draw()),
      term.onResize(() => this.draw()),
    ];
  }

  dispose(): void {
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
    const cursor = number === buffer.baseY + buffer.cursorY ? buffer.cursorX : -1;
    const spans: HTMLElement[] = [];
    for (let col = 0; line && col < term.cols / 2; col++) {
      const cell = line.getCell(col);
      if (!cell || cell.getWidth() === 0) continue;
      const span = document.createElement("span");
      span.textContent = cell.getChars() || " ";
      span.style.width = `${cell.getWidth() * width}px`;
      this.dress(span, cell, col === cursor);
      spans.push(span);
    }
    return spans;
  }

  private dress(span: HTMLElement, cell: IBufferCell, cursor: boolean): void {
    const theme = this.term.options.theme ?? {};
    let fg = colour(cell.getFgColor(), cell.isFgRGB(), cell.isFgPalette(), theme) ?? theme.foreground ?? "";
    let bg = colour(cell.getBgColor(), cell.isBgRGB(), cell.isBgPalette(), theme) ?? theme.background ?? "";
    if (Boolean(cell.isInverse()) !== cursor) [fg, bg] = [bg, fg];
    span.style.color = cell.isInvisible() ? "transparent" : fg;
    span.style.background = bg;
    if (cell.isBold()) span.style.fontWeight = "bold";
    if (cell.isItalic()) span.style.fontStyle = "italic";
    if (cell.isDim()) span.style.opacity = "0.5";
    const lines = [cell.isUnderline() && "underline", cell.isStrikethrough() && "line-through"].filter(Boolean);
    span.style.textDecoration = lines.join(" ");
  }
}

const NAMES = [
  "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "brightBlack", "brightRed", "brightGreen",
  "brightYellow", "brightBlue", "brightMagenta", "brightCyan", "brightWhite",
] as const; // prettier-ignore
const LEVELS = [0, 95, 135, 175, 215, 255];

/** A cell's colour for CSS; undefined: the default. */
function colour(
  value: number,
  rgb: boolean,
  palette: boolean,
  theme: ITheme,
): string | undefined {
  if (rgb) return `#${value.toString(16).padStart(6, "0")}`;
  if (!palette) return undefined;
  const name = NAMES[value];
  if (name) return theme[name] ?? name;
  if (value >= 232) return `rgb(${Array(3).fill(8 + 10 * (value - 232)).join()})`;
  const cube = value - 16;
  return `rgb(${[Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((at) => LEVELS[at]).join()})`;
}
