/** The colours of a text: asks a worker, and waits only so long. A file is the work of an unknown author. */

import type { HighlightOrder, Highlighted } from "./highlight-worker.js";

const MOST = 512 * 1024; // characters; above it, a text stays plain
const PATIENCE_MS = 5_000;

/** The text's lines in colours; undefined: it stays plain. */
export async function highlighted(order: HighlightOrder, signal: AbortSignal): Promise<Highlighted | undefined> {
  if (order.text.length > MOST || signal.aborted) return undefined;
  const worker = new Worker(new URL("./highlight-worker.ts", import.meta.url), { type: "module" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise<Highlighted | undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), PATIENCE_MS);
      signal.addEventListener("abort", () => resolve(undefined));
      worker.onerror = () => resolve(undefined);
      worker.onmessage = ({ data }: MessageEvent<Highlighted>) => resolve(data.length === 0 ? undefined : data);
      worker.postMessage(order);
    });
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}
