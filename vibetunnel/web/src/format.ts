/** Texts for sessions, ages and exits. */

import type { Session } from "./api.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  6: "SIGABRT",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
};

/** The time since `iso`, in the largest fitting unit: "now", "4 min", "3 h", "2 d". Empty if it is not a date. */
export function age(iso: string | undefined, now_ms: number): string {
  const then_ms = iso === undefined ? NaN : Date.parse(iso);
  if (Number.isNaN(then_ms)) return "";
  const passed_ms = Math.max(0, now_ms - then_ms); // the two machines' clocks may differ
  if (passed_ms < MINUTE_MS) return "now";
  if (passed_ms < HOUR_MS) return `${Math.floor(passed_ms / MINUTE_MS)} min`;
  if (passed_ms < DAY_MS) return `${Math.floor(passed_ms / HOUR_MS)} h`;
  return `${Math.floor(passed_ms / DAY_MS)} d`;
}

/** A command line as one would type it. */
export function commandLine(command: readonly string[]): string {
  const words = command.length === 3 && command[1] === "-c" ? command.slice(2) : command.map(quoted);
  return words.join(" ");
}

/** A word as a shell reads it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `path` with the home folder as `~`. */
export function folderName(path: string, home: string | undefined): string {
  if (!home || home === "/") return path;
  if (path === home) return "~";
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

interface Ending {
  readonly code?: number | undefined;
  readonly signal?: number | string | undefined;
  readonly reason?: string | undefined;
}

/** How a program ended: "Exited", "Exited with code 3", "Killed by SIGKILL", "Could not start: no such file". */
export function ending({ code, signal, reason }: Ending): string {
  if (code === -1) return reason ? `Could not start: ${reason}` : "Could not start";
  const name = signalName(signal);
  if (name !== "") return `Killed by ${name}`;
  if (code === undefined || code === 0) return "Exited";
  return `Exited with code ${code}`;
}

/** More about an exit than ending() says; empty if that has the reason already. */
export function remark({ code, signal, reason }: Ending): string {
  return code === -1 || signalName(signal) !== "" ? "" : (reason ?? "");
}

function signalName(signal: number | string | undefined): string {
  if (signal === undefined || signal === 0 || signal === "") return "";
  if (typeof signal === "number") return SIGNALS[signal] ?? `signal ${signal}`;
  return signal.startsWith("SIG") ? signal : `SIG${signal}`;
}

/** A session's state in words. */
export function stateText(session: Session): string {
  switch (session.status) {
    case "created":
      return "Not started";
    case "starting":
      return "Starting";
    case "running":
      return "Running";
    case "exited":
      return ending({ code: session.exitCode, signal: session.signal, reason: session.reason }) + leftText(session);
  }
}

function leftText({ processesLeft = 0 }: Session): string {
  if (processesLeft === 0) return "";
  return processesLeft === 1 ? ", 1 process left" : `, ${processesLeft} processes left`;
}

/** The document's title on a session's page. progress: "42%", or empty. */
export function pageTitle(title: string | undefined, name: string | undefined, progress = ""): string {
  const first = [title, name].map((each) => each?.trim()).find((each) => each);
  return [progress, first, "vibetunnel"].filter((each) => each).join(" · ");
}

/** "1 file", "12,345 files". */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** The length of a text: "1 character", "12 characters". */
export function characters(text: string): string {
  return counted([...text].length, "character");
}

/** A time to wait, rounded up: "8 s", "2 min", "1 h". */
export function wait(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.ceil(whole / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}

/** The time until `iso`, in the largest fitting unit and rounded up: "12 min", "3 h", "7 d"; "now" after it. */
export function left(iso: string, now_ms: number): string {
  const left_ms = Date.parse(iso) - now_ms;
  if (Number.isNaN(left_ms) || left_ms <= 0) return "now";
  if (left_ms <= 90 * MINUTE_MS) return `${Math.ceil(left_ms / MINUTE_MS)} min`;
  if (left_ms <= 2 * DAY_MS) return `${Math.ceil(left_ms / HOUR_MS)} h`;
  return `${Math.ceil(left_ms / DAY_MS)} d`;
}
