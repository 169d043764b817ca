/**
 * How the program wants keys: the stacks of the kitty keyboard protocol, one for each screen, and modifyOtherKeys. The
 * server's engine (ext/vt/vt_modes.c) keeps the same and answers queries; tests/vectors/keyboard-modes.json tests both.
 */

import type { IDisposable, IParser } from "@xterm/xterm";

const ALL_FLAGS = 31;
const DEPTH = 16; // of a stack, with the flags that are in force when nothing is pushed
const OTHER_KEYS = 4; // XTMODKEYS

type Params = readonly (number | number[])[];

export class KeyboardModes implements IDisposable {
  /** modifyOtherKeys: 0, 1 or 2. */
  otherKeys = 0;

  private readonly stacks = { main: [0], alternate: [0] };
  private readonly handlers: readonly IDisposable[];

  /** `alternate` tells which screen is on. */
  constructor(
    parser: IParser,
    private readonly alternate: () => boolean,
  ) {
    const csi = (prefix: string, final: string, take: (params: Params) => void): IDisposable =>
      parser.registerCsiHandler({ prefix, final }, (params) => {
        take(params);
        return true;
      });
    this.handlers = [
      csi(">", "u", (params) => this.push(parameter(params, 0))),
      csi("<", "u", (params) => this.pop(parameter(params, 0) || 1)),
      csi("=", "u", (params) => this.set(parameter(params, 0), parameter(params, 1) || 1)),
      csi(">", "m", (params) => {
        const resource = parameter(params, 0); // none resets all
        if (resource === OTHER_KEYS || (resource === 0 && params.length < 2)) {
          this.otherKeys = Math.min(parameter(params, 1), 2);
        }
      }),
      csi(">", "n", (params) => {
        if (parameter(params, 0) === OTHER_KEYS) this.otherKeys = 0;
      }),
      parser.registerCsiHandler({ intermediates: "!", final: "p" }, () => {
        this.otherKeys = 0;
        return false; // xterm.js resets the rest
      }),
      parser.registerEscHandler({ final: "c" }, () => {
        this.reset();
        return false;
      }),
    ];
  }

  /** Flags of the kitty keyboard protocol in force. */
  get kitty(): number {
    return this.stack.at(-1) ?? 0;
  }

  dispose(): void {
    for (const each of this.handlers) each.dispose();
  }

  private get stack(): number[] {
    return this.alternate() ? this.stacks.alternate : this.stacks.main;
  }

  private push(flags: number): void {
    const { stack } = this;
    stack.push(flags & ALL_FLAGS);
    if (stack.length > DEPTH) stack.shift();
  }

  private pop(count: number): void {
    const { stack } = this;
    if (count < stack.length) stack.length -= count;
    else stack.splice(0, stack.length, 0);
  }

  private set(flags: number, how: number): void {
    const { stack, kitty } = this;
    const chosen = flags & ALL_FLAGS;
    stack[stack.length - 1] = how === 3 ? kitty & ~chosen : how === 2 ? kitty | chosen : chosen;
  }

  private reset(): void {
    this.otherKeys = 0;
    this.stacks.main = [0];
    this.stacks.alternate = [0];
  }
}

function parameter(params: Params, index: number): number {
  const value = params[index];
  return typeof value === "number" ? value : 0;
}
