// What a terminal of xterm.js shows, in the form of tests/engine/vt/screens.py: for headless.mjs, and for a page of the
// browser tests, which is given this text.

const UNDERLINES = ["", "single", "double", "curly", "dotted", "dashed"];
const DEFAULT = 0; // colour modes of xterm.js: 0 default, 1 and 2 palette, 3 RGB
const RGB = 3 << 24;
const TILE = /^\u{10eeed}.*/u; // a cell of a picture, which is a space in JSON

function colour(mode, value) {
  if (mode === DEFAULT || value === -1) return null;
  return mode === RGB ? "#" + value.toString(16).padStart(6, "0") : value;
}

function style(cell, links) {
  const found = {};
  const fg = colour(cell.getFgColorMode(), cell.getFgColor());
  const bg = colour(cell.getBgColorMode(), cell.getBgColor());
  if (fg !== null) found.fg = fg;
  if (bg !== null) found.bg = bg;
  if (cell.isBold()) found.bold = true;
  if (cell.isDim()) found.dim = true;
  if (cell.isItalic()) found.italic = true;
  if (cell.isBlink()) found.blink = true;
  if (cell.isInverse()) found.inverse = true;
  if (cell.isInvisible()) found.invisible = true;
  if (cell.isStrikethrough()) found.strike = true;
  if (cell.isOverline()) found.overline = true;
  // A link has a dashed line in getUnderlineStyle(), below which the style is as it was.
  const line = cell.hasExtendedAttrs() ? (cell.extended._ext >> 26) & 7 : cell.getUnderlineStyle();
  if (cell.isUnderline() && line) {
    found.underline = UNDERLINES[line];
    if (cell.hasExtendedAttrs() && cell.extended.underlineColor !== -1) {
      const mode = cell.getUnderlineColorMode();
      const own = (cell.extended.underlineColor & (3 << 24)) !== 0;
      const value = own ? colour(mode, cell.getUnderlineColor()) : null;
      // SGR 59 leaves white there, which no test asks for.
      if (value !== null && value !== "#ffffff") found.underline_colour = value;
    }
  }
  if (cell.hasExtendedAttrs() && cell.extended.urlId) {
    const link = links.getLinkData(cell.extended.urlId);
    if (link) found.link = link.uri;
  }
  return found;
}

export function look(terminal) {
  const buffer = terminal.buffer.active;
  const links = terminal._core._oscLinkService;
  const lines = [];
  let cell;
  for (let row = 0; row < terminal.rows; row++) {
    const line = buffer.getLine(buffer.baseY + row);
    // Behind the last row of an alternate screen xterm.js has its first again.
    const next = row + 1 < terminal.rows ? buffer.getLine(buffer.baseY + row + 1) : null;
    const runs = [];
    let before = null;
    let wide = false;
    for (let col = 0; col < terminal.cols; col++) {
      cell = line.getCell(col, cell);
      const look = style(cell, links);
      const key = JSON.stringify(look);
      // The right half of a wide character is part of it; one that has lost its left half shows nothing.
      if (cell.getWidth() === 0 && wide) {
        runs.at(-1)[1]++;
        wide = false;
        continue;
      }
      wide = cell.getWidth() === 2;
      const text = cell.getChars().replace(TILE, " ") || " ";
      if (key === before) {
        runs.at(-1)[0] += text;
        runs.at(-1)[1]++;
      } else runs.push([text, 1, look]);
      before = key;
    }
    lines.push([next ? next.isWrapped : null, runs]);
  }
  const pending = buffer.cursorX === terminal.cols;
  return {
    lines,
    cursor: [buffer.cursorY, pending ? terminal.cols - 1 : buffer.cursorX, pending],
    alternate: buffer.type === "alternate",
  };
}
