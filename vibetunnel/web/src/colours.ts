/**
 * The colours of a program: those that it has set (OSC 4, 10, 11, 12), and the reversed screen (DECSCNM). They lie over
 * this client's theme. xterm.js would forget the program's at a change of the theme, and cannot reverse.
 *
 * The server's engine (ext/vt/vt_osc.c) keeps the same, and answers queries. Other spellings of a colour than `#RGB` and
 * `rgb:R/G/B` never come: viewers get them in these.
 */

import type { IDisposable, IParser } from "@xterm/xterm";

import { NAMES, type Theme, fixedColour } from "./palette.js";

const PALETTE = 256;
const FOREGROUND = 256; // after the palette, as in the engine
const BACKGROUND = 257;
const CURSOR = 258;
const DYNAMIC = 10; // OSC 10, of the foreground; the others follow
const RESET = 100; // from a number of OSC that sets to the one that resets
const REVERSE_SCREEN = 5; // DECSCNM

export class Colours implements IDisposable {
  private readonly set = new Map<number, string>();
  private reversed = false;
  private waiting = false;
  private readonly handlers: readonly IDisposable[];

  /** `changed` is called once after the output that changes something. */
  constructor(
    parser: IParser,
    private readonly changed: () => void,
  ) {
    const osc = (id: number, take: (data: string) => void): IDisposable =>
      parser.registerOscHandler(id, (data) => {
        take(data);
        this.soon();
        return true;
      });
    const mode = (final: "h" | "l"): IDisposable =>
      parser.registerCsiHandler({ prefix: "?", final }, (params) => {
        if (params.includes(REVERSE_SCREEN)) this.reverse(final === "h");
        return false; // other modes of the sequence are xterm.js's
      });
    this.handlers = [
      osc(4, (data) => this.setPalette(data.split(";"))),
      osc(4 + RESET, (data) => this.resetPalette(data)),
      ...[FOREGROUND, BACKGROUND, CURSOR].flatMap((slot) => {
        const number = slot - FOREGROUND + DYNAMIC;
        return [
          osc(number, (data) => data.split(";").forEach((spec, at) => this.put(slot + at, spec))),
          osc(number + RESET, () => this.set.delete(slot)),
        ];
      }),
      mode("h"),
      mode("l"),
      parser.registerEscHandler({ final: "c" }, () => {
        this.reverse(false);
        return false;
      }),
    ];
  }

  dispose(): void {
    for (const each of this.handlers) each.dispose();
  }

  /** `theme` with the colours of the program. */
  over(theme: Theme): Theme {
    const text = this.set.get(FOREGROUND) ?? theme.foreground;
    const ground = this.set.get(BACKGROUND) ?? theme.background;
    const [foreground, background] = this.reversed ? [ground, text] : [text, ground];
    const named = NAMES.map((name, index) => [name, this.set.get(index) ?? theme[name]] as const);
    return {
      ...theme,
      ...(Object.fromEntries(named) as Pick<Theme, (typeof NAMES)[number]>),
      extendedAnsi: Array.from({ length: PALETTE - NAMES.length }, (_, index) => {
        return this.set.get(index + NAMES.length) ?? fixedColour(index + NAMES.length);
      }),
      foreground,
      background,
      cursor: this.set.get(CURSOR) ?? foreground, // a theme's cursor would be lost on the program's background
      cursorAccent: background,
    };
  }

  private setPalette(parts: readonly string[]): void {
    for (let at = 0; at + 1 < parts.length; at += 2) {
      const slot = paletteSlot(parts[at]);
      if (slot !== undefined) this.put(slot, parts[at + 1] ?? "");
    }
  }

  private resetPalette(data: string): void {
    const named = data.split(";").map(paletteSlot);
    for (const slot of this.set.keys()) {
      if (slot < PALETTE && (data === "" || named.includes(slot))) this.set.delete(slot);
    }
  }

  private put(slot: number, spec: string): void {
    const colour = parsed(spec);
    if (colour !== undefined && slot <= CURSOR) this.set.set(slot, colour);
  }

  private reverse(on: boolean): void {
    if (this.reversed === on) return;
    this.reversed = on;
    this.soon();
  }

  /** A program sets many colours in a row, and a redraw sets all of them. */
  private soon(): void {
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      this.changed();
    });
  }
}

function paletteSlot(text = ""): number | undefined {
  return /^\d+$/.test(text) && Number(text) < PALETTE ? Number(text) : undefined;
}

/** A colour as XParseColor reads it, for CSS. */
export function parsed(spec: string): string | undefined {
  const scaled = /^rgb:([\da-f]{1,4})\/([\da-f]{1,4})\/([\da-f]{1,4})$/i.exec(spec);
  if (scaled) return css(scaled.slice(1).map((digits) => (parseInt(digits, 16) / (16 ** digits.length - 1)) * 255));
  const high = /^#([\da-f]+)$/i.exec(spec)?.[1];
  if (!high || high.length % 3 !== 0 || high.length > 12) return undefined;
  const length = high.length / 3;
  const channels = [0, length, 2 * length].map((at) => high.slice(at, at + length).padEnd(2, "0"));
  return css(channels.map((digits) => parseInt(digits.slice(0, 2), 16)));
}

function css(channels: readonly number[]): string {
  return `#${channels.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;
}
