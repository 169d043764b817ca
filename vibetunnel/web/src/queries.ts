/**
 * What programs print to ask the terminal something. The server's terminal answers, once, whoever watches; a viewer's
 * never does.
 */

import type { IDisposable, IParser } from "@xterm/xterm";

const WINDOW_REPORTS = new Set([11, 13, 14, 15, 16, 18, 19, 20, 21]); // CSI t: those that ask
const FOCUS_EVENTS = 1004; // DECSET; xterm.js reports the focus at once
const COLOURS = [4, 5, 10, 11, 12, 13, 14, 17, 19]; // OSC: they set, or ask with a "?"

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
    // These do more than ask, so xterm.js has to see them: what it answers is told from what is typed by its moment.
    const focus = parser.registerCsiHandler({ prefix: "?", final: "h" }, (params) => {
      if (params.includes(FOCUS_EVENTS)) this.mute();
      return false;
    });
    const osc = COLOURS.map((id) =>
      parser.registerOscHandler(id, (data) => {
        if (data.split(";").includes("?")) this.mute();
        return false;
      }),
    );
    this.handlers = [...csi, ...dcs, window, focus, ...osc];
  }

  /** Whether what xterm.js sends at this moment is an answer. */
  get answering(): boolean {
    return this.parsing;
  }

  dispose(): void {
    for (const each of this.handlers) each.dispose();
  }

  /** An answer is sent while the sequence is parsed; nobody can type before that ends. */
  private mute(): void {
    this.parsing = true;
    queueMicrotask(() => (this.parsing = false));
  }
}

/** Whether `data` is the report of a focus that came or went. */
export function isFocusReport(data: string): boolean {
  return data === "\x1b[I" || data === "\x1b[O";
}

/** Whether `data` is a report of what the mouse does. */
export function isMouseReport(data: string): boolean {
  return /^\x1b\[(?:M|<\d+;\d+;\d+[Mm])/.test(data);
}
