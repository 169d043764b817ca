/**
 * Text that the browser brings into the terminal from elsewhere: pasted, dropped, or inserted by a phone's keyboard.
 *
 * terminal.ts takes a composed text, when xterm.js has read it.
 */

import { pastedBy } from "./paste.js";

/** Call `paste` with every such text within `host`, until `signal` aborts. xterm.js would not filter it. */
export function takePastes(host: HTMLElement, paste: (text: string) => void, signal: AbortSignal): void {
  const take = (event: Event, text: string | undefined) => {
    if (text === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    paste(text);
  };
  const first = { capture: true, signal }; // before xterm.js
  host.addEventListener("paste", (event) => take(event, event.clipboardData?.getData("text/plain") ?? ""), first);
  host.addEventListener("beforeinput", (event) => take(event, pastedBy(event)), first);
}
