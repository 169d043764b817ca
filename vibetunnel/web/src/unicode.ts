/** The server's widths of characters, for xterm.js: both must wrap lines at the same places. */

import type { IUnicodeVersionProvider } from "@xterm/xterm";

import { width } from "./widths.js";

const UNKNOWN = 3; // no width
const CACHED = 0x10000; // code points; the few beyond are looked up each time

export class Widths implements IUnicodeVersionProvider {
  readonly version = "vibetunnel";
  private readonly cache = new Uint8Array(CACHED).fill(UNKNOWN);

  wcwidth(code: number): 0 | 1 | 2 {
    const known = this.cache[code];
    if (known === 0 || known === 1 || known === 2) return known;
    const found = width(code);
    if (code < CACHED) this.cache[code] = found;
    return found;
  }

  /** xterm.js's encoding: bit 0, whether it joins the character before it; bits 1 and 2, the width of both. */
  charProperties(code: number, preceding: number): number {
    const columns = this.wcwidth(code);
    const before = (preceding >> 1) & 3;
    return columns === 0 && before > 0 ? (before << 1) | 1 : columns << 1;
  }
}
