/**
 * The lines above the screen. xterm.js cannot insert lines above those it has. So this keeps all it got since the last
 * redraw, and shows older lines by giving it everything anew: first the lines, then the redraw, then the output since.
 * Pure: bytes in, bytes out.
 */

import { type Lines, MAX_LINES, type Redraw } from "./protocol.js";

export const SCROLLBACK = MAX_LINES; // lines
export const LIVE_LIMIT = 1024 * 1024; // bytes of output that are kept; more would make every rebuild slow
const LOADING_LIMIT = 8 * LIVE_LIMIT; // bytes of output that may come while lines are under way

const RESET = "\x1bc\x1b[20l"; // RIS; xterm.js keeps LNM through it

/** A request to the server. `depth`: number of lines between `before` and the screen. */
export interface Request {
  readonly type: "lines" | "redraw";
  readonly before: bigint;
  readonly count: number;
  readonly depth: number;
}

export class Scrollback {
  private base: Redraw | undefined; // undefined: the whole session has been received as output
  private pieces: Lines[] = []; // oldest first, without a gap up to the top of the screen of `base`
  private first = 0n; // the oldest line held, or the top of the screen
  private oldest = 0n; // the oldest line that the server keeps, if known
  private live: Uint8Array[] = []; // output since `base`
  private liveBytes = 0;
  private whole = true; // `live` is all of it
  private asked: Request | undefined;
  private fresh = false; // lines have arrived that are not shown yet

  /** Number of lines held. */
  get held(): number {
    return this.base ? Number(this.base.top - this.first) : 0;
  }

  /** Add output that continues the earlier one. */
  output(data: Uint8Array): void {
    if (!this.base || !this.whole) return;
    this.live.push(data);
    this.liveBytes += data.length;
    this.shorten();
  }

  /** Whether a redraw has the size of the lines held. */
  fits(redraw: Redraw): boolean {
    return this.base?.rows === redraw.rows && this.base.cols === redraw.cols;
  }

  /**
   * Begin anew with a redraw. Returns whether the lines held still belong to it, which they do only if neither size nor
   * line numbers have changed.
   */
  redraw(redraw: Redraw): boolean {
    const { base } = this;
    const same = this.fits(redraw) && base?.top === redraw.top && base.oldest === redraw.oldest;
    this.base = redraw;
    this.live = [];
    this.liveBytes = 0;
    this.whole = true;
    if (!same) {
      this.pieces = [];
      this.fresh = false;
      this.first = redraw.top;
      this.oldest = redraw.oldest;
    }
    return same;
  }

  /** No answer to the request will come. */
  unanswered(): void {
    this.asked = undefined;
    this.shorten();
  }

  /**
   * A new connection. Another server process may number the lines anew, so nothing is added to the lines held before a
   * redraw has told the new numbers.
   */
  reconnected(): void {
    this.asked = undefined;
    if (this.base) this.forget();
  }

  /** Forget everything: what follows does not continue it. */
  clear(): void {
    this.base = undefined;
    this.pieces = [];
    this.asked = undefined;
    this.forget();
    this.whole = true;
  }

  /**
   * The request for up to `more` lines above the `shown` ones that xterm.js has. undefined: the server has no more, no
   * room is left, or an answer is under way.
   */
  load(more: number, shown: number): Request | undefined {
    const { base, held } = this;
    if (!base || this.asked || this.first <= this.oldest) return undefined;
    const room = SCROLLBACK - shown;
    if (room <= 0) return undefined;
    this.asked = this.whole
      ? { type: "lines", before: this.first, count: Math.min(more, room, SCROLLBACK - held), depth: held }
      : { type: "redraw", before: base.top, count: Math.min(SCROLLBACK, shown + more), depth: 0 };
    if (this.asked.count <= 0) this.asked = undefined;
    return this.asked;
  }

  /** The requested redraw has come: now request the lines. */
  goOn(): Request | undefined {
    const { asked } = this;
    if (asked?.type !== "redraw") return undefined;
    this.asked = undefined;
    return this.load(asked.count, 0);
  }

  /** Add a piece. Returns whether it is the last one and there is something new to show. */
  take(piece: Lines): boolean {
    if (!this.base) return false;
    if (piece.oldest > this.oldest) this.oldest = piece.oldest;
    const next = piece.first + BigInt(piece.count);
    const kept = this.pieces.filter(({ first }) => first >= next); // drop pieces that this one contains
    if (piece.first < this.first && next === (kept[0]?.first ?? this.base.top)) {
      this.pieces = [piece, ...kept];
      this.first = piece.first;
      this.fresh = true;
    }
    if (!piece.last) return false;
    this.asked = undefined;
    const { fresh } = this;
    this.fresh = false;
    return fresh;
  }

  /**
   * The bytes that make a terminal of the redraw's size show everything held: lines, screen, output. undefined: it is
   * no longer known. Write them in one piece, so that no frame shows less.
   */
  all(): Uint8Array | undefined {
    const { base } = this;
    if (!base || !this.whole) return undefined;
    const bytes = joined([...prologue(this.pieces, base.rows), base.data, ...this.live]);
    this.shorten();
    return bytes;
  }

  private shorten(): void {
    if (this.liveBytes > (this.asked ? LOADING_LIMIT : LIVE_LIMIT)) this.forget();
  }

  private forget(): void {
    this.live = [];
    this.liveBytes = 0;
    this.whole = false;
  }
}

/** Reset, and print the lines so that they end up above a screen of `rows` blank rows. */
function prologue(pieces: readonly Lines[], rows: number): Uint8Array[] {
  const newest = pieces.at(-1);
  if (!newest) return [ascii(RESET)];
  // A blank after a wrapped line makes the next row its continuation. Two blanks, because a wide character that did not
  // fit may have left the last column free. Other lines end with CR LF.
  const away = `\x1b[m${newest.wrapped ? "  \r" : ""}${"\n".repeat(rows - 1)}`;
  return [ascii(RESET), ...pieces.map((piece) => piece.data), ascii(away)];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  return bytes;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
