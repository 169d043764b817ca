/**
 * @xterm/headless in a process of its own: `node --expose-gc worker.mjs NODE_MODULES`.
 *
 * Requests and answers: engine.py.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "x.js"));
const { Terminal } = require("@xterm/headless");
const { Unicode11Addon } = require("@xterm/addon-unicode11");

const UNDER_WAY = 16; // chunks written before waiting for their callbacks, so that no timer comes between two of them
const LONG_MS = 50; // a try that takes longer is not repeated: noise is shorter
const held = [];

function make(rows, cols) {
  const terminal = new Terminal({ rows, cols, scrollback: 10_000, allowProposedApi: true });
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = "11";
  return terminal;
}

function chunks(file, size) {
  const data = readFileSync(file);
  const found = [];
  for (let at = 0; at < data.length; at += size) found.push(data.subarray(at, at + size));
  return found;
}

/** CPU seconds so far, the garbage collector's threads included. */
function cpu_s() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function write(terminal, pieces) {
  for (let at = 0; at < pieces.length; at += UNDER_WAY) {
    const batch = pieces.slice(at, at + UNDER_WAY);
    const last = batch.pop();
    for (const piece of batch) terminal.write(piece);
    await new Promise((resolve) => terminal.write(last, resolve));
  }
}

function text(terminal) {
  const buffer = terminal.buffer.active;
  const lines = [];
  for (let row = 0; row < terminal.rows; row++) lines.push(buffer.getLine(buffer.baseY + row)?.translateToString(true) ?? "");
  return lines.join("\n");
}

const requests = {
  async feed({ file, rows, cols, chunk }) {
    const pieces = chunks(file, chunk);
    const terminal = make(rows, cols);
    let s = 0;
    for (let pass = 0; pass < 2; pass++) {
      const began = cpu_s();
      await write(terminal, pieces);
      s = cpu_s() - began;
    }
    const answer = { s, text: text(terminal) };
    terminal.dispose();
    return answer;
  },

  async hold({ file, rows, cols, count }) {
    for (let number = 0; number < count; number++) {
      const terminal = make(rows, cols);
      await write(terminal, chunks(file, 65536));
      held.push(terminal);
    }
    globalThis.gc();
    globalThis.gc();
    return { lines: held[0].buffer.active.baseY, own: null };
  },

  redraw: () => ({ redraw_us: null, snapshot_us: null, size: null }),

  async hostile({ file, fill, rows, cols, chunk, repeat }) {
    const chunks_ms = [];
    for (const piece of chunks(file, chunk)) {
      let best = Infinity;
      for (let number = 0; number < repeat; number++) {
        const terminal = make(rows, cols);
        await write(terminal, [readFileSync(fill)]);
        const began = cpu_s();
        await write(terminal, [piece]);
        const took_ms = (cpu_s() - began) * 1000;
        best = Math.min(best, took_ms);
        terminal.dispose();
        if (took_ms > LONG_MS) break;
      }
      chunks_ms.push(best);
    }
    return { calls_ms: chunks_ms, chunks_ms }; // it never stops within a chunk
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...what } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await requests[name](what))}\n`);
}
