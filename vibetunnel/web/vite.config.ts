import { defineConfig } from "vitest/config";

const SERVER = "http://127.0.0.1:4020"; // where `npm run dev` finds a running vibetunnel

export default defineConfig({
  base: "./", // the server may be behind a prefix: it says where in the document's <base>
  build: {
    outDir: "static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the CSP allows fonts and scripts from files only
    modulePreload: { polyfill: false }, // every browser of the target has it
    chunkSizeWarningLimit: 600, // KiB; xterm.js, in a part of its own
    reportCompressedSize: false,
  },
  worker: { format: "es" }, // it imports the grammars that it needs
  server: {
    proxy: { "/api": { target: SERVER, ws: true }, "/ws": { target: SERVER, ws: true } },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
