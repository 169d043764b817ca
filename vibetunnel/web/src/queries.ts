/**
 * What programs print to ask the terminal something. Each session needs one answer, not one per viewer and none for old
 * output, so a viewer that is not to answer swallows the question.
 */

import type { IDisposable, IParser } from "@xterm/xterm";

const WINDOW_REPORTS = new Set([11, 13, 14, 15, 16, 18, 19, 20, 21]); // CSI t: those that ask

/** Swallow every query while `silent()` says so. */
export function swallowQueries(parser: IParser, silent: () => boolean): IDisposable[] {
  const csi = [
    { final: "c" }, // DA1
    { prefix: ">", final: "c" }, // DA2
    { prefix: "=", final: "c" }, // DA3
    { final: "n" }, // DSR
    { prefix: "?", final: "n" }, // DSR, private
    { intermediates: "$", final: "p" }, // DECRQM
    { prefix: "?", intermediates: "$", final: "p" }, // DECRQM, private
    { prefix: ">", final: "q" }, // XTVERSION
    { prefix: "?", final: "u" }, // kitty keyboard flags
    { final: "x" }, // DECREQTPARM
  ].map((id) => parser.registerCsiHandler(id, silent));
  const window = parser.registerCsiHandler({ final: "t" }, (params) => {
    const [first] = params;
    return typeof first === "number" && WINDOW_REPORTS.has(first) && silent();
  });
  const dcs = [
    { intermediates: "$", final: "q" }, // DECRQSS
    { intermediates: "+", final: "q" }, // XTGETTCAP
  ].map((id) => parser.registerDcsHandler(id, silent));
  const osc = [4, 5, 10, 11, 12, 13, 14, 17, 19].map((id) =>
    parser.registerOscHandler(id, (data) => data.split(";").includes("?") && silent()),
  );
  return [...csi, window, ...dcs, ...osc];
}

/** Whether `data` is what a terminal reports by itself, not what somebody typed: focus and colour-scheme changes. */
export function isReport(data: string): boolean {
  return data === "\x1b[I" || data === "\x1b[O" || /^\x1b\[\?997;[12]n$/.test(data);
}
