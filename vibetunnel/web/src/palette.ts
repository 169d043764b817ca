/** The terminal's colours, for light and for dark. */

import type { ITheme } from "@xterm/xterm";

export const DARK = {
  background: "#0e0f11",
  foreground: "#e3e5e8",
  cursor: "#e3e5e8",
  cursorAccent: "#0e0f11",
  selectionBackground: "#3d5a8a99",
  overviewRulerBorder: "#00000000",
  scrollbarSliderBackground: "#ffffff1f",
  scrollbarSliderHoverBackground: "#ffffff33",
  scrollbarSliderActiveBackground: "#ffffff4d",
  black: "#2a2d33",
  red: "#f4736e",
  green: "#5fc98a",
  yellow: "#e3b85c",
  blue: "#6ba5f7",
  magenta: "#c792ea",
  cyan: "#5cc8d7",
  white: "#c9ccd1",
  brightBlack: "#7d838d",
  brightRed: "#ff9792",
  brightGreen: "#8be0ac",
  brightYellow: "#f3d287",
  brightBlue: "#95c0ff",
  brightMagenta: "#dcb3f7",
  brightCyan: "#8be0ea",
  brightWhite: "#ffffff",
} satisfies ITheme;

export const LIGHT = {
  background: "#ffffff",
  foreground: "#1c1e21",
  cursor: "#1c1e21",
  cursorAccent: "#ffffff",
  selectionBackground: "#b6d3fb99",
  overviewRulerBorder: "#00000000",
  scrollbarSliderBackground: "#0000001f",
  scrollbarSliderHoverBackground: "#00000033",
  scrollbarSliderActiveBackground: "#0000004d",
  black: "#1c1e21",
  red: "#b8261f",
  green: "#157347",
  yellow: "#8a5a00",
  blue: "#1257c4",
  magenta: "#8637b8",
  cyan: "#0b6b7d",
  white: "#5c626b",
  brightBlack: "#6a707a",
  brightRed: "#cf3a32",
  brightGreen: "#1a7f50",
  brightYellow: "#946300",
  brightBlue: "#2a6ede",
  brightMagenta: "#9b4dcc",
  brightCyan: "#0f7d91",
  brightWhite: "#3c4148",
};

export type Theme = typeof DARK & Pick<ITheme, "extendedAnsi">;

/** The names of the palette's first 16 colours. */
export const NAMES = [
  ...(["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const),
  ...(["brightBlack", "brightRed", "brightGreen", "brightYellow"] as const),
  ...(["brightBlue", "brightMagenta", "brightCyan", "brightWhite"] as const),
];
const LEVELS = [0, 95, 135, 175, 215, 255]; // of the colour cube

/** A colour of the palette from 16 on: the cube, then greys. */
export function fixedColour(index: number): string {
  const cube = index - NAMES.length;
  const grey = 8 + 10 * (index - 232);
  const channels = index >= 232 ? [grey, grey, grey] : [36, 6, 1].map((step) => LEVELS[Math.floor(cube / step) % 6]);
  return `rgb(${channels.join()})`;
}

/** The theme as the server is told it: the palette's 16 colours, then foreground, background and cursor, as 0xRRGGBB. */
export function themeColours(theme: ITheme): readonly number[] {
  const names = [...NAMES, "foreground", "background", "cursor"] as const;
  return names.map((name) => parseInt((theme[name] ?? "#000000").slice(1, 7), 16));
}

/** Programs choose colours without knowing the background: text with less contrast than this (WCAG AA) is changed. */
export const MINIMUM_CONTRAST = 4.5;
