/** Key events of a browser, and the keys of the bar that phones have, for keyboard.ts. */

import type { Key } from "./keyboard.js";

export type BarKey = "escape" | "tab" | "up" | "down" | "left" | "right" | "home" | "end" | "pageup" | "pagedown";

const BAR: Readonly<Record<BarKey, string>> = {
  escape: "Escape",
  tab: "Tab",
  up: "ArrowUp",
  down: "ArrowDown",
  left: "ArrowLeft",
  right: "ArrowRight",
  home: "Home",
  end: "End",
  pageup: "PageUp",
  pagedown: "PageDown",
};

const ZOOM = /^[-+=0]$/;
const DEVELOPER_TOOLS_AND_WINDOWS = /^[ijrntw]$/;

/** A press of one key, or of one character. */
export function pressOf(key: string, ctrl: boolean): Key {
  const none = { shift: false, alt: false, meta: false, altGraph: false, capsLock: false, numLock: false };
  return { type: "press", key, code: "", ctrl, ...none };
}

export function pressOfBar(key: BarKey, ctrl: boolean): Key {
  return pressOf(BAR[key], ctrl);
}

/** `ctrl`: the bar's Ctrl is armed. */
export function keyOf(event: KeyboardEvent, ctrl: boolean): Key {
  return {
    type: event.type === "keyup" ? "release" : event.repeat ? "repeat" : "press",
    key: event.key,
    code: event.code,
    shift: event.shiftKey,
    alt: event.altKey,
    ctrl: event.ctrlKey || ctrl,
    meta: event.metaKey,
    altGraph: event.getModifierState("AltGraph"),
    capsLock: event.getModifierState("CapsLock"),
    numLock: event.getModifierState("NumLock"),
  };
}

/** Whether a key is not known yet: it begins or continues a composition, or is a dead key. */
export function composes(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229 || /^(Dead|Process|Unidentified|Compose)$/.test(event.key);
}

/** Whether the browser keeps a key for itself: zoom, tabs 1 and 9, developer tools, reload and windows with Shift. */
export function isBrowsers(event: KeyboardEvent, asked: boolean): boolean {
  if (!event.ctrlKey || event.altKey || event.metaKey) return false;
  if (ZOOM.test(event.key) || (event.shiftKey && DEVELOPER_TOOLS_AND_WINDOWS.test(event.key.toLowerCase()))) return true;
  return !asked && !event.shiftKey && (event.key === "1" || event.key === "9");
}
