/** Writes a .br and a .gz beside every text file below a folder, so that the server need not compress. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const TEXT = new Set([".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest"]);
const SMALLEST = 256; // bytes; below this the headers outweigh what compression saves

const folder = process.argv[2];
if (!folder) throw new Error("usage: node precompress.mjs FOLDER");

let plain = 0;
let brotli = 0;
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !TEXT.has(extname(entry.name))) continue;
  const path = join(entry.parentPath, entry.name);
  const data = readFileSync(path);
  if (data.length < SMALLEST) continue;
  const best = brotliCompressSync(data, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length },
  });
  writeFileSync(`${path}.br`, best);
  writeFileSync(`${path}.gz`, gzipSync(data, { level: 9 }));
  plain += data.length;
  brotli += best.length;
}
console.log(
  `precompressed ${folder}: ${Math.round(plain / 1024)} KiB of text, ${Math.round(brotli / 1024)} KiB as brotli`,
);
