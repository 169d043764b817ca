// @xterm/headless as an oracle: a line of JSON in, a line of JSON out. tests/engine/vt/oracles.py talks to it.
//
// in   [{rows, cols, scrollback, steps}, ...]; a step is output in base64, or [rows, cols] to resize, or null to look
// out  [[screen, ...], ...]: what was there at each look, as in tests/engine/vt/screens.py; null once xterm.js has thrown

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2]);
const { Terminal } = require("@xterm/headless");
const { look } = await import("./look.mjs");
const { width } = await import(process.argv[3]);

// Our own widths, in xterm.js's form: bit 0 says that a character joins the one before it, bits 1 and 2 are its columns.
const WIDTHS = {
  version: "ours",
  wcwidth: width,
  charProperties(code, before) {
    const columns = width(code);
    const joined = (before >> 1) & 3;
    return columns === 0 && joined ? (joined << 1) | 1 : columns << 1;
  },
};

function run({ rows, cols, scrollback, steps }) {
  const terminal = new Terminal({ rows, cols, scrollback, allowProposedApi: true, logLevel: "off" });
  terminal.unicode.register(WIDTHS);
  terminal.unicode.activeVersion = WIDTHS.version;
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
