/** Pictures as the browser decodes them: fetched when they are seen, a few at a time, and bounded in pixels. */

const AT_ONCE = 4; // requests
const PICTURE_PIXELS = 16 * 1024 * 1024; // as the server's bound
const ALL_PIXELS = 64 * 1024 * 1024; // kept: 256 MiB

type Entry = ImageBitmap | "coming" | "failed";

export class Gallery {
  private readonly entries = new Map<string, Entry>(); // by key, the one seen last at the end
  private readonly stopping = new AbortController();
  private coming = 0;

  /** `loaded` is called when a picture that was missing has come, or will not. */
  constructor(
    private readonly url: (key: string) => string,
    private readonly loaded: () => void,
  ) {}

  dispose(): void {
    this.stopping.abort();
    for (const each of this.entries.values()) if (typeof each !== "string") each.close();
    this.entries.clear();
  }

  /** The picture; undefined while it is coming; null: it cannot be shown. */
  get(key: string, width: number, height: number): ImageBitmap | undefined | null {
    const entry = this.entries.get(key);
    if (entry === "coming") return undefined;
    if (entry === "failed" || width * height > PICTURE_PIXELS) return null;
    if (entry) {
      this.entries.delete(key);
      this.entries.set(key, entry);
      return entry;
    }
    if (this.coming < AT_ONCE) void this.load(key);
    return undefined;
  }

  /** A new list has come: what failed may be there now. */
  retry(): void {
    for (const [key, each] of this.entries) if (each === "failed") this.entries.delete(key);
  }

  private async load(key: string): Promise<void> {
    this.coming++;
    this.entries.set(key, "coming");
    let entry: Entry = "failed";
    try {
      const answer = await fetch(this.url(key), { credentials: "same-origin", signal: this.stopping.signal });
      if (answer.ok) {
        const bitmap = await createImageBitmap(await answer.blob());
        if (bitmap.width * bitmap.height <= PICTURE_PIXELS) entry = bitmap;
        else bitmap.close();
      }
    } catch {
      // no connection, or the bytes are no picture: a box is shown in its place
    }
    this.coming--;
    if (this.stopping.signal.aborted) {
      if (typeof entry !== "string") entry.close();
      return;
    }
    this.entries.set(key, entry);
    this.shorten();
    this.loaded();
  }

  private shorten(): void {
    let pixels = 0;
    for (const [key, each] of [...this.entries].reverse()) {
      if (typeof each === "string") continue;
      pixels += each.width * each.height;
      if (pixels <= ALL_PIXELS) continue;
      each.close();
      this.entries.delete(key);
    }
  }
}
