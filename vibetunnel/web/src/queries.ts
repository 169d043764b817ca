/**
 * Queries: sequences with which programs ask the terminal something. The server's terminal answers each once; a
 * viewer's never does. Those of colours are colours.ts's.
 */

import type { IDisposable, IParser } from "@xterm/xterm";

const WINDOW_REPORTS = new Set([11, 13, 14, 15, 16, 18, 19, 20, 21]); // parameters of CSI t that are queries
const FOCUS_EVENTS = 1004; // DECSET; xterm.js reports the focus at once

export class Queries implements IDisposable {
  private readonly handlers: IDisposable[];
  private parsing = false;

  constructor(parser: IParser) {
    const swallow = (): boolean => true;
    const csi = [
      { final: "c" }, // DA1
      { prefix: ">", final: "c" }, // DA2
      { prefix: "=", final: "c" }, // DA3
      { final: "n" }, // DSR
      { prefix: "?", final: "n" }, // DSR, private; DECXCPR; colour scheme
      { intermediates: "$", final: "p" }, // DECRQM
      { prefix: "?", intermediates: "$", final: "p" }, // DECRQM, private
      { intermediates: "*", final: "y" }, // DECRQCRA
      { prefix: ">", final: "q" }, // XTVERSION
      { prefix: "?", final: "u" }, // kitty keyboard flags
      { final: "x" }, // DECREQTPARM
    ].map((id) => parser.registerCsiHandler(id, swallow));
    const dcs = [
      { intermediates: "$", final: "q" }, // DECRQSS
      { intermediates: "+", final: "q" }, // XTGETTCAP
    ].map((id) => parser.registerDcsHandler(id, swallow));
    const window = parser.registerCsiHandler({ final: "t" }, ([first]) => {
      return typeof first === "number" && WINDOW_REPORTS.has(first);
    });
    // It does more than query, so xterm.js has to see it. Its answer is recognised by when it comes.
    const focus = parser.registerCsiHandler({ prefix: "?", final: "h" }, (params) => {
      if (params.includes(FOCUS_EVENTS)) this.mute();
      return false;
    });
    this.handlers = [...csi, ...dcs, window, focus];
  }

  /** Whether data that xterm.js sends now is an answer. */
  get answering(): boolean {
    return this.parsing;
  }

  dispose(): void {
    for (const each of this.handlers) each.dispose();
  }

  /** xterm.js sends an answer while it parses the query, when no typing can come in between. */
  private mute(): void {
    this.parsing = true;
    queueMicrotask(() => (this.parsing = false));
  }
}

/** Whether `data` reports that the focus came or went. */
export function isFocusReport(data: string): boolean {
  return data === "\x1b[I" || data === "\x1b[O";
}

/** Whether `data` reports an action of the mouse. */
export function isMouseReport(data: string): boolean {
  return /^\x1b\[(?:M|<?\d+;\d+;\d+[Mm])/.test(data);
}
