/**
 * How the mouse is reported. xterm.js has no UTF-8 (1005) and no urxvt encoding (1015): it sends SGR reports then, which
 * are written anew. The engine's rules count: the last encoding set, until that one is reset.
 */

import type { IDisposable, IParser } from "@xterm/xterm";

const UTF8 = 1005;
const SGR = 1006;
const URXVT = 1015;
const PIXELS = 1016;
const ENCODINGS: readonly number[] = [UTF8, SGR, URXVT, PIXELS];
const OWN = 65006; // a mode that does not exist: marks the sequences of this module

const RELEASED = 3; // the button of a release, except in SGR reports
const BASE = 32; // what the encodings but SGR add to a number
const MOST = 2047; // the largest number in two bytes of UTF-8

export class MouseModes implements IDisposable {
  private encoding = 0;
  private drawn = 0; // that of xterm.js
  private readonly handlers: readonly IDisposable[];

  /** `write` gives xterm.js a sequence, after those that it is parsing. */
  constructor(
    parser: IParser,
    private readonly write: (data: string) => void,
  ) {
    this.handlers = [
      parser.registerCsiHandler({ prefix: "?", final: "h" }, (params) => this.changed(params.flat(), true)),
      parser.registerCsiHandler({ prefix: "?", final: "l" }, (params) => this.changed(params.flat(), false)),
      parser.registerEscHandler({ final: "c" }, () => {
        this.encoding = this.drawn = 0;
        return false;
      }),
    ];
  }

  dispose(): void {
    for (const each of this.handlers) each.dispose();
  }

  /** `report` of xterm.js as the program wants it; other input as it is. */
  encoded(report: string): string {
    return this.encoding === UTF8 || this.encoding === URXVT ? reencoded(report, this.encoding === UTF8) : report;
  }

  private get wanted(): number {
    return this.encoding === UTF8 || this.encoding === URXVT ? SGR : this.encoding;
  }

  private changed(modes: readonly number[], on: boolean): boolean {
    if (modes.includes(OWN)) {
      const aim = on ? (modes[0] ?? 0) : 0;
      if (aim !== this.wanted) return true; // the program has changed it meanwhile
      this.drawn = aim;
      return false;
    }
    for (const mode of modes) {
      if (!ENCODINGS.includes(mode)) continue;
      if (on) this.encoding = mode;
      else if (this.encoding === mode) this.encoding = 0;
      if (mode === SGR || mode === PIXELS) this.drawn = on ? mode : 0;
    }
    const { wanted } = this;
    if (wanted !== this.drawn) this.write(`\x1b[?${wanted || SGR};${OWN}${wanted === 0 ? "l" : "h"}`);
    return false;
  }
}

/** An SGR report in UTF-8 (1005) or as urxvt writes it (1015). A place beyond what UTF-8 can tell is not reported. */
export function reencoded(report: string, utf8: boolean): string {
  const found = /^\x1b\[<(\d+);(\d+);(\d+)([Mm])$/.exec(report);
  if (!found) return report;
  const [button, col, row] = found.slice(1, 4).map(Number) as [number, number, number];
  const code = (found[4] === "m" ? (button & ~3) | RELEASED : button) + BASE;
  if (!utf8) return `\x1b[${code};${col};${row}M`;
  if (Math.max(col, row) + BASE > MOST) return "";
  return `\x1b[M${String.fromCharCode(code, col + BASE, row + BASE)}`;
}
