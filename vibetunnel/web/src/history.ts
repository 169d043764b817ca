/**
 * Gives xterm.js what it draws: redraws, output, and the older lines above them. It fetches older lines before the user
 * reaches them, and keeps the view in place while it inserts them.
 */

import type { IDisposable, Terminal } from "@xterm/xterm";

import { WholeCharacters } from "./characters.js";
import type { Lines, Redraw } from "./protocol.js";
import { type Request, Scrollback } from "./scrollback.js";

const CALM_MS = 300; // without a redraw before lines are fetched: a window whose size changes gets many
const NEAR_MS = 50; // between looks at the scroll position
const FIRST = 1000; // lines, fetched at once so that there is something to scroll
const MORE = 2000; // lines, fetched whenever the view comes near the oldest one
const NEAR = 3; // screens

const RESET = Uint8Array.of(0x1b, 0x63); // RIS, in order with earlier output; term.reset() would overtake it
const ERASE_SCROLLBACK = 3; // the parameter of ED
const NO_CURSOR = "\x1b[?25l";

/** What must not change while lines are inserted above. */
interface View {
  readonly base: number; // lines above the screen
  readonly distance: number; // lines scrolled back
  readonly selection: ReturnType<Terminal["getSelectionPosition"]>;
}

export class History implements IDisposable {
  private readonly held = new Scrollback();
  private readonly characters = new WholeCharacters();
  private readonly stopping = new AbortController();
  private readonly disposables: readonly IDisposable[];
  private again = false; // what comes next does not continue the screen
  private drawing = false;
  private erased = false; // the lines that the reader had scrolled back to are gone
  private ended = false;
  private pressed = false; // a finger or a button is down: something is being selected or dragged
  private waiting = false; // lines have come that could not be inserted yet
  private reading = 0; // lines scrolled back before a change of size took the lines away
  private calmTimer: ReturnType<typeof setTimeout> | undefined;
  private nearTimer: ReturnType<typeof setTimeout> | undefined;

  /** `ask` returns whether an answer can be expected. */
  constructor(
    private readonly term: Terminal,
    host: EventTarget,
    private readonly ask: (request: Request) => boolean,
  ) {
    const { signal } = this.stopping;
    host.addEventListener("pointerdown", () => (this.pressed = true), { signal });
    for (const type of ["pointerup", "pointercancel"]) {
      globalThis.addEventListener(type, () => this.released(), { signal });
    }
    document.addEventListener("visibilitychange", () => this.soon(), { signal });
    this.disposables = [
      term.parser.registerCsiHandler({ final: "J" }, ([what]) => {
        this.erased ||= what === ERASE_SCROLLBACK && !this.alternate && this.view().distance > 0;
        return false;
      }),
      term.onWriteParsed(() => this.follow()),
      term.buffer.onBufferChange(() => this.soon()),
      term.onScroll(() => this.scrolled()),
      term.onData(() => (this.reading = 0)),
    ];
  }

  dispose(): void {
    clearTimeout(this.calmTimer);
    clearTimeout(this.nearTimer);
    this.stopping.abort();
    for (const each of this.disposables) each.dispose();
  }

  /** Whether the output being parsed was drawn before. */
  get replaying(): boolean {
    return this.drawing;
  }

  /** A new connection. `fresh`: what follows does not continue the screen. */
  begin(fresh: boolean): void {
    this.again = fresh;
    this.held.reconnected();
    this.soon();
  }

  /** Draw output; `drawn` is called when it is on the screen. */
  output(data: Uint8Array, drawn: () => void): void {
    if (this.again) {
      this.again = false;
      this.held.clear();
      this.characters.clear();
      this.term.write(RESET);
    }
    this.held.output(data);
    this.term.write(this.characters.take(data), drawn);
  }

  /**
   * Draw everything anew, at the redraw's size. `continues`: it was requested, and the screen shows it already.
   */
  redraw(redraw: Redraw, continues: boolean, drawn: () => void): void {
    this.again = false;
    if (continues && this.held.fits(redraw)) {
      this.held.redraw(redraw);
      this.term.write("", drawn);
      this.request(this.held.goOn());
      return;
    }
    const kept = this.held.redraw(redraw);
    this.draw(
      (view) => {
        if (kept) return view.distance;
        if (redraw.rows !== this.term.rows || redraw.cols !== this.term.cols) this.reading ||= view.distance;
        return 0;
      },
      redraw,
      drawn,
    );
    this.soon();
  }

  /** Older lines, a piece at a time. */
  lines(piece: Lines): void {
    if (this.held.take(piece)) this.putIn();
  }

  /** No answer to the request will come. */
  unanswered(): void {
    this.held.unanswered();
  }

  /** The program has ended: it takes no input, so there is no cursor. */
  end(): void {
    this.ended = true;
    this.term.write(NO_CURSOR);
  }

  /** Give xterm.js everything that is held. `distance` is its scroll position afterwards. */
  private draw(distance: (view: View) => number, size?: { rows: number; cols: number }, drawn?: () => void): void {
    const { term } = this;
    const all = this.held.all();
    if (!all) return;
    let lines = 0;
    let before: View;
    term.write("", () => {
      if (this.stopping.signal.aborted) return;
      before = this.view();
      lines = distance(before);
      this.drawing = true;
      if (!size || (size.rows === term.rows && size.cols === term.cols)) return;
      term.reset(); // saves reflowing a screen that is drawn over anyway
      term.resize(size.cols, size.rows);
    });
    // In one piece, which xterm.js parses without drawing a frame in between.
    this.characters.clear();
    term.write(this.characters.take(all), () => {
      if (this.stopping.signal.aborted) return;
      this.drawing = false;
      this.scrollBack(lines);
      if (!size) this.select(before);
      drawn?.();
    });
    if (this.ended) term.write(NO_CURSOR);
  }

  private putIn(): void {
    this.waiting = this.pressed || this.alternate;
    if (this.waiting) return;
    this.draw((view) => {
      const lines = view.distance || this.reading;
      this.reading = 0;
      return lines;
    });
  }

  private view(): View {
    const { baseY, viewportY } = this.term.buffer.active;
    return { base: baseY, distance: baseY - viewportY, selection: this.term.getSelectionPosition() };
  }

  private scrollBack(lines: number): void {
    const { term } = this;
    if (lines === 0 || this.alternate) return;
    term.scrollToLine(Math.max(0, term.buffer.active.baseY - lines));
  }

  private select({ base, selection }: View): void {
    if (!selection) return;
    const { term } = this;
    const { start, end } = selection;
    const row = start.y + term.buffer.active.baseY - base;
    const length = (end.y - start.y) * term.cols + end.x - start.x;
    if (row >= 0 && length > 0) term.select(start.x, row, length);
  }

  /** xterm.js would hold the view at line 0 while new lines come. */
  private follow(): void {
    if (!this.erased || this.term.buffer.active.baseY === 0) return;
    this.erased = false;
    this.term.scrollToBottom();
  }

  private get alternate(): boolean {
    return this.term.buffer.active.type === "alternate";
  }

  private released(): void {
    this.pressed = false;
    if (this.waiting) this.soon();
  }

  private soon(): void {
    clearTimeout(this.calmTimer);
    this.calmTimer = setTimeout(() => this.calm(), CALM_MS);
  }

  private calm(): void {
    if (document.visibilityState === "hidden" || this.alternate) return; // it is called again when that ends
    if (this.waiting) this.putIn();
    const wanted = Math.max(FIRST, this.reading + NEAR * this.term.rows);
    const { baseY } = this.term.buffer.normal;
    if (this.held.held < wanted && baseY < wanted) this.request(this.held.load(wanted - this.held.held, baseY));
    this.near();
  }

  private scrolled(): void {
    this.nearTimer ??= setTimeout(() => this.near(), NEAR_MS);
  }

  private near(): void {
    clearTimeout(this.nearTimer);
    this.nearTimer = undefined;
    const { baseY, viewportY } = this.term.buffer.active;
    if (this.alternate || viewportY === baseY || viewportY > NEAR * this.term.rows) return;
    this.request(this.held.load(MORE, baseY));
  }

  private request(request: Request | undefined): void {
    if (request && !this.ask(request)) this.held.unanswered();
  }
}
