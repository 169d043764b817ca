/** The icons of git, drawn as those of icons.ts are. */

import { svg } from "lit";

import { icon } from "./icons.js";

export const refresh = icon(svg`<path d="M13.2 6.5A5.5 5.5 0 1 0 13.5 9M13.5 2.8v3.7H9.8" />`);
export const sideBySide = icon(svg`<rect x="2" y="3" width="12" height="10" rx="1.2" /><path d="M8 3v10" />`);
export const unfold = icon(svg`<path d="M8 1.8v4M6 3.6l2-1.8 2 1.8M8 14.2v-4M6 12.4l2 1.8 2-1.8M3 8h10" />`);
export const openFile = icon(svg`
  <path d="M9.5 2.5h4v4M13.3 2.7 8 8M12 9.5v3a1 1 0 0 1-1 1H3.5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h3" />`);
export const folder = icon(svg`
  <path d="M1.8 12.2V4a1 1 0 0 1 1-1h3l1.6 1.8h5.8a1 1 0 0 1 1 1v6.4a1 1 0 0 1-1 1H2.8a1 1 0 0 1-1-1z" />`);
export const clock = icon(svg`<circle cx="8" cy="8" r="5.8" /><path d="M8 4.8V8l2.2 1.6" />`);
