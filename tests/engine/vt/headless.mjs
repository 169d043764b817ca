// @xterm/headless as an oracle: a line of JSON in, a line of JSON out. tests/engine/vt/oracles.py talks to it.
//
// in   [{rows, cols, scrollback, steps}, ...]; a step is output in base64, or [rows, cols] to resize, or null to look
// out  [[screen, ...], ...]: what was there at each look, as in tests/engine/vt/screens.py; null once xterm.js has thrown

import { createRequire, registerHooks } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2]);
const { Terminal } = require("@xterm/headless");

// The web client's own widths and clusters. Node knows TypeScript, but not that a .js in an import is a .ts.
registerHooks({
  resolve: (name, context, next) =>
    next(name.startsWith("./") && context.parentURL?.endsWith(".ts") ? name.replace(/\.js$/, ".ts") : name, context),
});
const { Widths } = await import(process.argv[3]);

const UNDERLINES = ["", "single", "double", "curly", "dotted", "dashed"];
const DEFAULT = 0; // colour modes of xterm.js: 0 default, 1 and 2 palette, 3 RGB
const RGB = 3 << 24;

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

function look(terminal) {
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
      const text = cell.getChars() || " ";
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

function run({ rows, cols, scrollback, steps }) {
  const terminal = new Terminal({ rows, cols, scrollback, allowProposedApi: true, logLevel: "off" });
  const widths = new Widths();
  terminal.unicode.register(widths);
  terminal.unicode.activeVersion = widths.version;
  widths.follow(terminal.parser);
  const screens = [];
  let failed = false;
  for (const step of steps) {
    try {
      if (step === null) screens.push(failed ? null : look(terminal));
      else if (typeof step === "string") terminal._core.writeSync(Buffer.from(step, "base64"));
      else terminal.resize(step[1], step[0]);
    } catch {
      failed = true;
    }
  }
  terminal.dispose();
  return screens;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(JSON.parse(line).map(run)) + "\n");
}
