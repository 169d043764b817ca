/**
 * Draws pictures over the terminal: tiles where cells have them, and kitty's placements where their lines are. Its canvas
 * lies over the text, and lets the mouse through.
 */

import type { IBuffer, IBufferCell, IDisposable, IMarker, Terminal } from "@xterm/xterm";

import { Album, type Box, LIST, type Placement, type Tile, cut, hasTile } from "./album.js";
import { Gallery } from "./gallery.js";

const LEAST_LABEL = 4; // columns of a box that says what it stands for

export class Overlay implements IDisposable {
  private readonly album = new Album();
  private readonly gallery: Gallery;
  private readonly canvas = document.createElement("canvas");
  private readonly disposables: readonly IDisposable[];
  private anchors = new Map<number, number | IMarker>(); // line of the buffer, by number of the placement
  private due = 0;
  private drawn = false; // the canvas has something on it

  /** `url`: where to get the picture of a key. */
  constructor(
    private readonly term: Terminal,
    url: (key: string) => string,
  ) {
    this.gallery = new Gallery(url, () => this.soon());
    this.canvas.className = "pictures";
    this.disposables = [
      term.parser.registerOscHandler(LIST, (record) => {
        if (this.album.take(record)) this.listed();
        return true;
      }),
      term.parser.registerEscHandler({ final: "c" }, () => {
        this.album.clear();
        this.forget();
        this.soon();
        return false;
      }),
      term.buffer.onBufferChange(() => {
        this.album.left();
        this.anchor();
        this.soon();
      }),
      term.onRender(() => this.soon()),
      term.onScroll(() => this.soon()),
      term.onResize(() => this.soon()),
    ];
  }

  dispose(): void {
    cancelAnimationFrame(this.due);
    this.gallery.dispose();
    for (const each of this.disposables) each.dispose();
    this.forget();
    this.canvas.remove();
  }

  /** A list has come. Its rows count from the top of the screen. */
  private listed(): void {
    this.forget();
    for (const each of this.album.direct(false)) {
      this.anchors.set(each.number, this.term.buffer.normal.baseY + each.row);
    }
    this.anchor();
    this.gallery.retry();
    this.soon();
  }

  private forget(): void {
    for (const each of this.anchors.values()) if (typeof each !== "number") each.dispose();
    this.anchors.clear();
  }

  /** xterm.js makes markers, which move with their lines, for the buffer that is shown. The other one does not move. */
  private anchor(): void {
    const { active } = this.term.buffer;
    if (active.type !== "normal") return;
    for (const [number, line] of this.anchors) {
      if (typeof line !== "number" || line < 0) continue;
      const marker = this.term.registerMarker(line - active.baseY - active.cursorY);
      this.anchors.set(number, marker);
    }
  }

  private lineOf(placement: Placement): number {
    if (placement.alternate) return placement.row;
    const anchor = this.anchors.get(placement.number) ?? -1;
    if (typeof anchor === "number") return anchor;
    return anchor.isDisposed ? Number.NEGATIVE_INFINITY : anchor.line;
  }

  private soon(): void {
    this.due ||= requestAnimationFrame(() => {
      this.due = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { term, canvas, album } = this;
    const screen = term.element?.querySelector<HTMLElement>(".xterm-screen");
    if (!screen || (album.empty && !this.drawn)) return;
    if (canvas.parentElement !== screen) screen.append(canvas);
    const { width, height } = screen.getBoundingClientRect();
    const across = Math.round(width * devicePixelRatio);
    const down = Math.round(height * devicePixelRatio);
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
    }
    const paint = canvas.getContext("2d");
    if (!paint) return;
    paint.clearRect(0, 0, across, down);
    this.drawn = false;
    const page = new Page(term, paint, across / term.cols, down / term.rows, (placement, cells, at) => {
      this.drawn = true;
      this.drawPart(page, placement, cells, at);
    });
    const { active } = term.buffer;
    const direct = album.direct(active.type === "alternate");
    for (const each of direct) if (each.z < 0) page.over(each, this.lineOf(each), true);
    page.tiles(album);
    for (const each of direct) if (each.z >= 0) page.over(each, this.lineOf(each), false);
  }

  /** Draw the cells of a placement at row and column `at`; a box if there is no picture. */
  private drawPart(page: Page, placement: Placement | undefined, cells: Box, at: Place): void {
    const picture = placement && this.album.picture(placement);
    const bitmap = picture?.kept ? this.gallery.get(picture.key, picture.width, picture.height) : null;
    if (bitmap === undefined) return; // it is coming
    const part = placement && cut(placement, cells);
    if (bitmap && part && picture) page.image(bitmap, picture, part, cells, at);
    else if (!bitmap) page.box(cells, at);
  }
}

interface Place {
  readonly row: number;
  readonly col: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

type Draw = (placement: Placement | undefined, cells: Box, at: Place) => void;

/** The visible rows, while they are drawn. Cells have `wide` x `high` device pixels. */
class Page {
  private readonly buffer: IBuffer;
  private readonly cell: IBufferCell;

  constructor(
    private readonly term: Terminal,
    private readonly paint: CanvasRenderingContext2D,
    private readonly wide: number,
    private readonly high: number,
    private readonly draw: Draw,
  ) {
    this.buffer = term.buffer.active;
    this.cell = this.buffer.getNullCell();
  }

  /** Draw what cells have. Neighbours in a row of one picture are drawn at once. */
  tiles(album: Album): void {
    for (let row = 0; row < this.term.rows; row++) {
      const line = this.buffer.getLine(this.buffer.viewportY + row);
      if (!line || !hasTile(line.translateToString(false))) continue;
      let before: Tile | undefined;
      let first: { tile: Tile; col: number } | undefined;
      const flush = (end: number): void => {
        if (!first) return;
        const { tile, col } = first;
        this.clear(row, col, end - col);
        this.draw(tile.placement, { x: tile.col, y: tile.row, width: end - col, height: 1 }, { row, col });
        first = undefined;
      };
      for (let col = 0; col < this.term.cols; col++) {
        const cell = line.getCell(col, this.cell);
        const colour = cell?.isFgDefault() ? 0 : (cell?.getFgColor() ?? 0);
        const tile = cell && album.tile(cell.getChars(), colour, before);
        const continues =
          tile && before && tile.owner === before.owner && tile.row === before.row && tile.col === before.col + 1;
        if (!continues) flush(col);
        if (tile && !first) first = { tile, col };
        before = tile;
      }
      flush(this.term.cols);
    }
  }

  /** Draw a placement whose first row is at `line` of the buffer; `under`: only where there is no text. */
  over(placement: Placement, line: number, under: boolean): void {
    const top = line - this.buffer.viewportY;
    for (let y = Math.max(placement.first, -top); y < placement.last && top + y < this.term.rows; y++) {
      if (!under) {
        const last = Math.min(placement.last, this.term.rows - top);
        this.draw(placement, this.cells(placement, y, last - y), { row: top + y, col: placement.col });
        return;
      }
      for (const { col, n } of this.blanks(placement, line + y)) {
        const cells = { x: col - placement.col, y, width: n, height: 1 };
        this.draw(placement, cells, { row: top + y, col });
      }
    }
  }

  image(bitmap: ImageBitmap, size: Size, { from, to }: { from: Box; to: Box }, cells: Box, at: Place): void {
    const x = bitmap.width / size.width; // 1, unless a file says two sizes
    const y = bitmap.height / size.height;
    const left = Math.round((at.col + to.x - cells.x) * this.wide);
    const top = Math.round((at.row + to.y - cells.y) * this.high);
    const right = Math.round((at.col + to.x - cells.x + to.width) * this.wide);
    const bottom = Math.round((at.row + to.y - cells.y + to.height) * this.high);
    const [width, height] = [from.width * x, from.height * y];
    this.paint.drawImage(bitmap, from.x * x, from.y * y, width, height, left, top, right - left, bottom - top);
  }

  /** What stands for a picture that is not there. */
  box(cells: Box, at: Place): void {
    const { paint, wide, high } = this;
    paint.fillStyle = "#80808055";
    paint.fillRect(at.col * wide, at.row * high, cells.width * wide, cells.height * high);
    if (cells.x !== 0 || cells.y !== 0 || cells.width < LEAST_LABEL) return;
    paint.fillStyle = "#a0a0a0";
    paint.font = `${Math.round(high * 0.6)}px sans-serif`;
    paint.textBaseline = "middle";
    paint.fillText("picture not kept", (at.col + 0.3) * wide, (at.row + 0.5) * high, (cells.width - 0.6) * wide);
  }

  /** Hide the characters of tiles. */
  private clear(row: number, col: number, n: number): void {
    const left = Math.round(col * this.wide);
    const top = Math.round(row * this.high);
    this.paint.fillStyle = this.term.options.theme?.background ?? "#000";
    const right = Math.round((col + n) * this.wide);
    this.paint.fillRect(left, top, right - left, Math.round((row + 1) * this.high) - top);
  }

  private cells(placement: Placement, y: number, height: number): Box {
    const width = Math.max(placement.cols, Math.ceil(placement.to.x + placement.to.width));
    return { x: 0, y, width: Math.min(width, this.term.cols - placement.col), height };
  }

  /** Stretches without text or background in the columns of a placement. */
  private blanks(placement: Placement, at: number): { col: number; n: number }[] {
    const line = this.buffer.getLine(at);
    const found: { col: number; n: number }[] = [];
    const end = placement.col + this.cells(placement, 0, 1).width;
    for (let col = placement.col; line && col < end; col++) {
      const cell = line.getCell(col, this.cell);
      if (!cell || !cell.isBgDefault() || cell.getChars().trim() !== "" || cell.getWidth() === 0) continue;
      const last = found.at(-1);
      if (last && last.col + last.n === col) last.n++;
      else found.push({ col, n: 1 });
    }
    return found;
  }
}
