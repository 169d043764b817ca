/** Which character each key makes without Shift. Browsers tell, or it is learned from what is typed. */

import type { Key } from "./keyboard.js";

/** The Keyboard Map API, which Chromium has on secure origins. */
interface WithKeyboard {
  readonly keyboard?: { getLayoutMap(): Promise<Iterable<readonly [string, string]>> };
}

export class KeyboardLayout {
  private readonly known = new Map<string, string>();

  constructor(browser: WithKeyboard = navigator as WithKeyboard) {
    browser.keyboard?.getLayoutMap().then(
      (map) => {
        for (const [code, text] of map) this.known.set(code, text);
      },
      () => undefined, // this page may not ask: it learns
    );
  }

  learn({ key, code, shift, alt, ctrl, altGraph, capsLock }: Key): void {
    if ([...key].length === 1 && !shift && !alt && !ctrl && !altGraph && !capsLock) this.known.set(code, key);
  }

  readonly of = (code: string): string | undefined => this.known.get(code);
}
