/** The lines of the server's log that a page holds, and those of them that it shows. Pure. */

import type { LogLevel, LogLine } from "./api.js";

export const LEVELS: readonly LogLevel[] = ["error", "warn", "log", "debug"];
export const SHOWN = 2000; // lines; a page with more scrolls badly
const HELD = 5000; // lines

export interface LogFilter {
  readonly levels: ReadonlySet<LogLevel>;
  /** Whether lines that pages have sent are shown. */
  readonly pages: boolean;
  readonly text: string;
}

/** The lines with the new ones after them; the oldest make room. */
export function appended(lines: readonly LogLine[], news: readonly LogLine[]): readonly LogLine[] {
  return news.length === 0 ? lines : [...lines, ...news].slice(-HELD);
}

/** The newest lines that pass the filter. */
export function filtered(lines: readonly LogLine[], { levels, pages, text }: LogFilter): LogLine[] {
  const wanted = text.trim().toLowerCase();
  return lines
    .filter((line) => levels.has(line.level) && (pages || line.user === undefined) && holds(line, wanted))
    .slice(-SHOWN);
}

function holds({ text, module, user }: LogLine, wanted: string): boolean {
  return wanted === "" || `${module} ${user ?? ""} ${text}`.toLowerCase().includes(wanted);
}

/** The time of day on this device, and the date if that is not today: "18:20:01", "30 Nov 18:20:01". */
export function lineTime(at: string, now: Date = new Date()): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const time = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}
