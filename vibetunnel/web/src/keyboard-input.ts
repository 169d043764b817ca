/** Keys pressed in the terminal: which go to the program, as which bytes, and which are the browser's or xterm.js's. */

import type { IDisposable, Terminal } from "@xterm/xterm";

import { KeyboardLayout } from "./keyboard-layout.js";
import { KeyboardModes } from "./keyboard-modes.js";
import { type Key, keyBytes } from "./keyboard.js";
import { composes, isBrowsers, keyOf } from "./keys.js";

export class KeyboardInput implements IDisposable {
  private readonly modes: KeyboardModes;
  private readonly layout = new KeyboardLayout();
  private readonly mac = /Mac/.test(navigator.platform);
  private composing = false; // until xterm.js has sent the composition's text: a key that ends it comes after that

  constructor(private readonly term: Terminal) {
    this.modes = new KeyboardModes(term.parser, () => term.buffer.active.type === "alternate");
  }

  /** Follow compositions; after xterm.js's own listeners, whose text comes first. */
  listen(textarea: HTMLElement, signal: AbortSignal): void {
    textarea.addEventListener("compositionstart", () => (this.composing = true), { signal });
    textarea.addEventListener("compositionend", () => setTimeout(() => (this.composing = false)), { signal });
  }

  dispose(): void {
    this.modes.dispose();
  }

  /** The bytes of a key; undefined: it types its text, if it has any. */
  bytes(key: Key): string | undefined {
    const { applicationCursorKeysMode, applicationKeypadMode } = this.term.modes;
    const { kitty, otherKeys } = this.modes;
    const modes = {
      applicationCursor: applicationCursorKeysMode,
      applicationKeypad: applicationKeypadMode,
      kitty,
      otherKeys,
      mac: this.mac,
    };
    return keyBytes(key, modes, this.layout.of);
  }

  /** Whether the browser or xterm.js keeps this event. */
  keeps(event: KeyboardEvent): "browser" | "xterm" | undefined {
    if (event.type === "keypress" || composes(event) || this.composing) return "xterm";
    if (isBrowsers(event, this.modes.kitty !== 0 || this.modes.otherKeys !== 0)) return "browser";
    if (event.key === "Insert" && (event.shiftKey || event.ctrlKey)) return "browser"; // paste, copy
    const scrolls = event.shiftKey && /^Page(Up|Down)$/.test(event.key);
    return scrolls && this.term.buffer.active.type === "normal" ? "xterm" : undefined;
  }

  /** The bytes of an event that neither keeps. `ctrl`: the key bar's Ctrl is armed. */
  pressed(event: KeyboardEvent, ctrl: boolean): string | undefined {
    const key = keyOf(event, ctrl);
    if (key.type !== "release") this.layout.learn(key);
    return this.bytes(key);
  }
}
