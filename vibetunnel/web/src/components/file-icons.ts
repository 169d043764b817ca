/** The icons of files and folders, drawn as those of icons.ts are. */

import { svg } from "lit";

import { icon } from "./icons.js";

export const chevron = icon(svg`<path d="m6 4 4 4-4 4" />`);
export const file = icon(svg`<path d="M9 1.8H4.3a1 1 0 0 0-1 1v10.4a1 1 0 0 0 1 1h7.4a1 1 0 0 0 1-1V5.5zM9 1.8v3.7h3.7" />`);
export const picture = icon(svg`
  <rect x="2" y="2.8" width="12" height="10.4" rx="1" /><circle cx="5.6" cy="6.2" r="1.1" />
  <path d="m2.5 12 3.8-3.5 2.4 2 2.2-2.2 3 2.8" />`);
export const upload = icon(svg`<path d="M8 10.5v-8M4.8 5.5 8 2.3l3.2 3.2M2.5 10.5v2.2a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1v-2.2" />`);
export const download = icon(svg`<path d="M8 2.3v8M4.8 7.2 8 10.4l3.2-3.2M2.5 10.5v2.2a1 1 0 0 0 1 1h9a1 1 0 0 0 1-1v-2.2" />`);
export const newFolder = icon(svg`
  <path d="M14.2 7.5V5.8a1 1 0 0 0-1-1H7.4L5.8 3h-3a1 1 0 0 0-1 1v8.2a1 1 0 0 0 1 1h5.4M12 9.5v5M9.5 12h5" />`);
export const refresh = icon(svg`<path d="M13.2 6.5A5.5 5.5 0 1 0 13.5 9M13.5 2.8v3.7H9.8" />`);
export const hiddenFiles = icon(svg`
  <path d="M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8z" /><path d="m2.5 13.5 11-11" />`);
export const more = icon(svg`<path d="M3.5 8h.1M8 8h.1M12.4 8h.1" stroke-width="2.2" />`);
export const toTerminal = icon(svg`<path d="m2.5 4 4 4-4 4M8.5 12.5h5" />`);
export const copy = icon(svg`
  <rect x="5.5" y="5.5" width="8" height="8" rx="1" /><path d="M10.5 5.5V3.5a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2" />`);
export const done = icon(svg`<path d="m3 8.5 3.3 3.3L13 4.5" />`);
export const wrap = icon(svg`<path d="M2.5 4h11M2.5 8h8.7a2 2 0 0 1 0 4H8.5m1.6-1.7L8.4 12l1.7 1.7M2.5 12h3" />`);
export const ownPage = icon(svg`<path d="M9.5 2.5h4v4M13.3 2.7 8 8M12 9.5v3a1 1 0 0 1-1 1H3.5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h3" />`);
export const here = icon(svg`<circle cx="8" cy="8" r="4.5" /><path d="M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3" />`);
