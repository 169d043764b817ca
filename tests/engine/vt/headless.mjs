// @xterm/headless as an oracle: a line of JSON in, a line of JSON out. tests/engine/vt/oracles.py talks to it.
//
// in   [{rows, cols, scrollback, steps}, ...]; a step is output in base64, or [rows, cols] to resize, or null to look
// out  [[screen, ...], ...]: what was there at each look, as in tests/engine/vt/screens.py; null once xterm.js has thrown

import { createRequire, registerHooks } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(process.argv[2]);
const { Terminal } = require("@xterm/headless");
const { look } = await import("./look.mjs");

// The web client's own widths, clusters and pieces of output. Node knows TypeScript, but not that a .js in an import is a .ts.
registerHooks({
  resolve: (name, context, next) =>
    next(name.startsWith("./") && context.parentURL?.endsWith(".ts") ? name.replace(/\.js$/, ".ts") : name, context),
});
const { Widths } = await import(process.argv[3]);
const { WholeCharacters } = await import(new URL("characters.ts", pathToFileURL(process.argv[3])));

function run({ rows, cols, scrollback, steps }) {
  const terminal = new Terminal({ rows, cols, scrollback, allowProposedApi: true, logLevel: "off" });
  const widths = new Widths();
  const characters = new WholeCharacters();
  terminal.unicode.register(widths);
  terminal.unicode.activeVersion = widths.version;
  widths.follow(terminal.parser);
  const screens = [];
  let failed = false;
  for (const step of steps) {
    try {
      if (step === null) screens.push(failed ? null : look(terminal));
      else if (typeof step === "string") terminal._core.writeSync(characters.take(Buffer.from(step, "base64")));
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
