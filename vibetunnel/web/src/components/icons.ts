/** The few icons, drawn on a grid of 16 with the text's colour. */

import { type TemplateResult, svg, html } from "lit";

export function icon(path: TemplateResult): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${path}</svg>`;
}

export const plus = icon(svg`<path d="M8 3v10M3 8h10" />`);
export const back = icon(svg`<path d="M9.5 3.5 5 8l4.5 4.5" />`);
export const pencil = icon(svg`<path d="m10.5 3 2.5 2.5L6 12.5l-3 .5.5-3z" />`);
export const cross = icon(svg`<path d="m4 4 8 8m0-8-8 8" />`);
export const stop = icon(svg`<rect x="4" y="4" width="8" height="8" rx="1.5" />`);
export const device = icon(svg`<rect x="4.5" y="2" width="7" height="12" rx="1.5" /><path d="M7.3 11.7h1.4" />`);
export const leave = icon(svg`<path d="M6.5 3H4a1 1 0 0 0-1 1v8a1 1 0 0 0 1 1h2.5M10 5l3 3-3 3M13 8H6.5" />`);
export const fit = icon(svg`<path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />`);
export const viewers = icon(
  svg`<path d="M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8z" /><circle cx="8" cy="8" r="1.7" />`,
);
export const share = icon(svg`
  <circle cx="12" cy="3.8" r="1.8" /><circle cx="4" cy="8" r="1.8" /><circle cx="12" cy="12.2" r="1.8" />
  <path d="m5.6 7.1 4.8-2.4M5.6 8.9l4.8 2.4" />`);
export const keyboard = icon(svg`
  <rect x="1.5" y="4" width="13" height="8" rx="1.5" /><path d="M4.2 6.7h.1M6.7 6.7h.1M9.2 6.7h.1M11.7 6.7h.1M5.5 9.4h5" />`);
export const bell = icon(
  svg`
    <path d="M8 2.5c2 0 3.3 1.5 3.3 3.5 0 3 1.2 4 1.2 4h-9s1.2-1 1.2-4c0-2 1.3-3.5 3.3-3.5z" />
    <path d="M6.8 12.5a1.3 1.3 0 0 0 2.4 0" />`,
);
export const folder = icon(
  svg`<path d="M1.8 12.2V4a1 1 0 0 1 1-1h3l1.6 1.8h5.8a1 1 0 0 1 1 1v6.4a1 1 0 0 1-1 1H2.8a1 1 0 0 1-1-1z" />`,
);

export const branch = icon(svg`
  <circle cx="4.5" cy="3.8" r="1.7" /><circle cx="4.5" cy="12.2" r="1.7" /><circle cx="11.5" cy="5.3" r="1.7" />
  <path d="M4.5 5.5v5M11.5 7c0 2.6-3 2.2-5.4 3.4" />`);
export const worktree = icon(svg`
  <path d="M8 1.8v12.4M8 6.5H4.2a1.4 1.4 0 0 1-1.4-1.4V3.4M8 10.2h3.8a1.4 1.4 0 0 0 1.4-1.4V7.1" />`);

export const list = icon(svg`<path d="M2.5 4h11M2.5 8h11M2.5 12h7" />`);
export const download = icon(svg`<path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10" />`);

export const mark = html`<svg class="mark" viewBox="9 8 46 46" aria-hidden="true">
  <path class="arch" d="M12 50V32a20 20 0 0 1 40 0v18" />
  <path class="chevron" d="M22 31l8 8-8 8" />
  <path class="cursor" d="M35 47h8" />
</svg>`;
