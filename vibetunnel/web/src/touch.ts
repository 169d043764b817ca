/** Touch on the terminal: a swipe scrolls, a long press selects. xterm.js knows only the mouse. */

import type { IDisposable, Terminal } from "@xterm/xterm";

import type { Box } from "./fit.js";

const LONG_PRESS_MS = 450;
const SLOP = 8; // CSS pixels that a resting finger may move

interface Cell {
  readonly row: number; // in the buffer
  readonly col: number;
}

export class TouchInput implements IDisposable {
  private readonly stopping = new AbortController();
  private last: { x: number; y: number } | undefined;
  private moved = false;
  private rest = 0; // scrolled pixels that are less than a row
  private pressTimer: ReturnType<typeof setTimeout> | undefined;
  private anchor: { from: Cell; to: Cell } | undefined; // the word that was pressed, while the finger is down

  constructor(
    private readonly host: HTMLElement,
    private readonly term: Terminal,
    private readonly cell: () => Box,
    private readonly column: (row: number, seen: number) => number,
  ) {
    const { signal } = this.stopping;
    host.addEventListener("touchstart", (event) => this.start(event), { signal, passive: true });
    host.addEventListener("touchmove", (event) => this.move(event), { signal, passive: false });
    host.addEventListener("touchend", (event) => this.end(event), { signal, passive: false });
    host.addEventListener("touchcancel", () => this.forget(), { signal });
  }

  dispose(): void {
    this.forget();
    this.stopping.abort();
  }

  private start(event: TouchEvent): void {
    this.forget();
    const [touch] = event.touches;
    if (!touch || event.touches.length > 1) return;
    this.last = { x: touch.clientX, y: touch.clientY };
    this.pressTimer = setTimeout(() => this.selectWord(touch.clientX, touch.clientY), LONG_PRESS_MS);
  }

  private move(event: TouchEvent): void {
    const [touch] = event.touches;
    if (!touch || !this.last) return;
    event.preventDefault();
    if (this.anchor) {
      this.extend(touch.clientX, touch.clientY);
      return;
    }
    const x = touch.clientX - this.last.x;
    const y = touch.clientY - this.last.y;
    if (!this.moved && Math.hypot(x, y) < SLOP) return;
    this.moved = true;
    clearTimeout(this.pressTimer);
    this.last = { x: touch.clientX, y: touch.clientY };
    this.host.scrollLeft -= x;
    this.scroll(-y, touch);
  }

  private end(event: TouchEvent): void {
    // A swipe or a selection is not a click: it must neither move the focus nor open the keyboard.
    if (this.moved || this.anchor) event.preventDefault();
    this.forget();
  }

  private forget(): void {
    clearTimeout(this.pressTimer);
    this.last = undefined;
    this.anchor = undefined;
    this.moved = false;
    this.rest = 0;
  }

  /** Scroll the host first (for a larger screen, or the part below a keyboard), then the terminal. */
  private scroll(pixels: number, touch: Touch): void {
    const before = this.host.scrollTop;
    this.host.scrollTop += pixels;
    this.rest += pixels - (this.host.scrollTop - before);
    const { height } = this.cell();
    const lines = Math.trunc(this.rest / height);
    if (lines === 0) return;
    this.rest -= lines * height;
    const { term } = this;
    if (term.buffer.active.type === "normal" && term.modes.mouseTrackingMode === "none") {
      term.scrollLines(lines);
      return;
    }
    // The program scrolls: xterm.js turns wheel events into mouse reports or cursor keys.
    const wheel = { deltaY: Math.sign(lines), deltaMode: WheelEvent.DOM_DELTA_LINE, bubbles: true, cancelable: true };
    for (let line = 0; line < Math.abs(lines); line++) {
      const { clientX, clientY } = touch;
      term.element
        ?.querySelector(".xterm-screen")
        ?.dispatchEvent(new WheelEvent("wheel", { ...wheel, clientX, clientY }));
    }
  }

  private at(x: number, y: number): Cell {
    const screen = this.term.element?.querySelector(".xterm-screen")?.getBoundingClientRect();
    const { width, height } = this.cell();
    const limit = (value: number, most: number): number => Math.max(0, Math.min(most, Math.floor(value)));
    const row = this.term.buffer.active.viewportY + limit((y - (screen?.top ?? 0)) / height, this.term.rows - 1);
    return { row, col: this.column(row, limit((x - (screen?.left ?? 0)) / width, this.term.cols - 1)) };
  }

  private selectWord(x: number, y: number): void {
    const { row, col } = this.at(x, y);
    const line = this.term.buffer.active.getLine(row);
    const blank = (index: number): boolean => (line?.getCell(index)?.getChars() ?? "").trim() === "";
    let first = col;
    let last = col;
    if (!blank(col)) {
      while (first > 0 && !blank(first - 1)) first -= 1;
      while (last < this.term.cols - 1 && !blank(last + 1)) last += 1;
    }
    this.anchor = { from: { row, col: first }, to: { row, col: last } };
    this.select(this.anchor.from, this.anchor.to);
  }

  private extend(x: number, y: number): void {
    if (!this.anchor) return;
    const finger = this.at(x, y);
    const order = (cell: Cell): number => cell.row * this.term.cols + cell.col;
    const from = order(finger) < order(this.anchor.from) ? finger : this.anchor.from;
    const to = order(finger) > order(this.anchor.to) ? finger : this.anchor.to;
    this.select(from, to);
  }

  private select(from: Cell, to: Cell): void {
    const length = (to.row - from.row) * this.term.cols + to.col - from.col + 1;
    this.term.select(from.col, from.row, length);
  }
}
