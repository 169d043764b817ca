/** The rows and columns that fit, and the font size at which another client's screen fits. Pure arithmetic. */

import type { Viewport } from "./socket.js";

export interface Box {
  readonly width: number; // CSS pixels, as all lengths here
  readonly height: number;
}

const SMALLEST: Viewport = { rows: 2, cols: 10 };
const LARGEST = 1000; // rows or columns that the server accepts
const SMALLEST_FONT = 8; // smaller text cannot be read, so the screen is scrolled instead
const EPSILON = 0.01; // cells are measured in fractions of a pixel

/** The viewport of `box` with cells of size `cell`. */
export function fit(box: Box, cell: Box): Viewport {
  return {
    rows: within(SMALLEST.rows, Math.floor(box.height / cell.height + EPSILON)),
    cols: within(SMALLEST.cols, Math.floor(box.width / cell.width + EPSILON)),
  };
}

function within(smallest: number, value: number): number {
  return Math.max(smallest, Math.min(LARGEST, value));
}

/** The largest font size up to `fontSize` at which a screen of `size` fits into `box`; `cell` is the size of a cell at `fontSize`. */
export function scaledFont(box: Box, cell: Box, size: Viewport, fontSize: number): number {
  const ratio = Math.min(1, box.width / (size.cols * cell.width), box.height / (size.rows * cell.height));
  const scaled = Math.floor(fontSize * ratio * 2) / 2; // half pixels: enough to fit, and few enough glyph atlases
  return Math.max(Math.min(SMALLEST_FONT, fontSize), scaled);
}
