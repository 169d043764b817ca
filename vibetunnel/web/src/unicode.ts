/**
 * The server's widths and grapheme clusters, for xterm.js: both must put characters into the same cells.
 *
 * While clusters are on (mode 2027, the default), code points that UAX 29 joins are one character, of one or two
 * columns. While they are off, each code point has its own width. Where variation selector 15 makes an emoji narrow,
 * xterm.js leaves the cursor as after a wide one. The server then draws the row again, with CSI > 1 N before the
 * emoji: it is narrow from the start.
 */

import type { IDisposable, IParser, IUnicodeVersionProvider } from "@xterm/xterm";

import { EMOJI, FOLLOWS, JOINS, properties, REGIONAL, TEXT, VS_BASE } from "./unicode-tables.js";

const MODE = 2027;
const UNKNOWN = 0xff; // no properties
const CACHED = 0x20000; // code points; the few beyond are looked up each time
const BASE = 1 << 7; // of a preceding value: it is one code point whose width a variation selector changes

export class Widths implements IUnicodeVersionProvider {
  readonly version = "vibetunnel";
  private readonly cache = new Uint8Array(CACHED).fill(UNKNOWN);
  private clusters = true;
  private narrow = false; // the next character, if a variation selector can make it so

  /** Follow mode 2027, CSI > N and resets. */
  follow(parser: IParser): IDisposable[] {
    const set = (on: boolean) => (params: (number | number[])[]) => {
      if (params.includes(MODE)) this.clusters = on;
      return false; // other modes are xterm.js's
    };
    return [
      parser.registerCsiHandler({ prefix: "?", final: "h" }, set(true)),
      parser.registerCsiHandler({ prefix: "?", final: "l" }, set(false)),
      parser.registerCsiHandler({ prefix: ">", final: "N" }, (params) => {
        this.narrow = params[0] === 1;
        return true;
      }),
      parser.registerEscHandler({ final: "c" }, () => {
        this.clusters = true;
        this.narrow = false;
        return false;
      }),
    ];
  }

  wcwidth(code: number): 0 | 1 | 2 {
    const found = this.properties(code);
    return this.columns(found);
  }

  /**
   * xterm.js's encoding: bit 0, whether it joins the character before it; bits 1 and 2, the width of both; above them
   * what the next code point follows, and BASE.
   */
  charProperties(code: number, preceding: number): number {
    const found = this.properties(code);
    const columns = this.columns(found);
    const kind = (found >> 2) & 31;
    const state = (preceding >> 3) & 15;
    const before = (preceding >> 1) & 3;
    const next = (FOLLOWS[state]?.[kind] ?? 0) << 3;
    if (columns > 0 && !(this.clusters && ((JOINS[kind] ?? 0) >> state) & 1)) {
      const narrowed = this.narrow && columns === 2 && (found & VS_BASE) !== 0;
      this.narrow = false;
      if (narrowed) return next | (1 << 1);
      return next | (found & VS_BASE ? BASE : 0) | (columns << 1);
    }
    // After a sequence it joins what is left of the cursor, which is not known here; nothing joins the two.
    if (before === 0) return 1;
    if (preceding & BASE && this.clusters && kind === EMOJI) return next | (2 << 1) | 1;
    if (preceding & BASE && this.clusters && kind === TEXT) return next | (1 << 1) | 1;
    return next | (Math.min(before + columns, 2) << 1) | 1;
  }

  private columns(found: number): 0 | 1 | 2 {
    const columns = found & 3;
    if (!this.clusters && ((found >> 2) & 31) === REGIONAL) return 1; // so that two of them, a flag, have two columns
    return columns === 0 || columns === 2 ? columns : 1;
  }

  private properties(code: number): number {
    const known = this.cache[code];
    if (known !== undefined && known !== UNKNOWN) return known;
    const found = properties(code);
    if (code < CACHED) this.cache[code] = found;
    return found;
  }
}
