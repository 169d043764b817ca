/** The icons of git, drawn as those of icons.ts are. */

import { svg } from "lit";

import { icon } from "./icons.js";

export const sideBySide = icon(svg`<rect x="2" y="3" width="12" height="10" rx="1.2" /><path d="M8 3v10" />`);
export const unfold = icon(svg`<path d="M8 1.8v4M6 3.6l2-1.8 2 1.8M8 14.2v-4M6 12.4l2 1.8 2-1.8M3 8h10" />`);
export const clock = icon(svg`<circle cx="8" cy="8" r="5.8" /><path d="M8 4.8V8l2.2 1.6" />`);
