/**
 * How the mouse is reported. xterm.js has no UTF-8 (1005) and no urxvt encoding (1015). The server sets SGR (1006) before
 * them, so that xterm.js sends SGR reports, and this writes the reports anew. The last encoding set counts, until that
 * one is reset.
 */

import type { IDisposable, IParser } from "@xterm/xterm";

const UTF8 = 1005;
const URXVT = 1015;
const ENCODINGS: readonly number[] = [UTF8, 1006, URXVT, 1016];

const RELEASED = 3; // the button of a release, except in SGR reports
const BASE = 32; // what the encodings but SGR add to a number
const MOST = 2047; // the largest number in two bytes of UTF-8

export class MouseModes implements IDisposable {
  private encoding = 0;
  private readonly handlers: readonly IDisposable[];

  constructor(parser: IParser) {
    const set = (on: boolean) => (params: (number | number[])[]) => {
      this.changed(params.flat(), on);
      return false;
    };
    this.handlers = [
      parser.registerCsiHandler({ prefix: "?", final: "h" }, set(true)),
      parser.registerCsiHandler({ prefix: "?", final: "l" }, set(false)),
      parser.registerEscHandler({ final: "c" }, () => {
        this.encoding = 0;
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

  private changed(modes: readonly number[], on: boolean): void {
    for (const mode of modes) {
      if (!ENCODINGS.includes(mode)) continue;
      if (on) this.encoding = mode;
      else if (this.encoding === mode) this.encoding = 0;
    }
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
