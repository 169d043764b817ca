import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError } from "../src/api.js";
import type { FileApi } from "../src/file-api.js";
import { PIECE } from "../src/pieces.js";
import { TerminalUploads } from "../src/terminal-uploads.js";
import { Uploads } from "../src/uploads.js";

/** A server that keeps the sizes of what arrives, and fails as it is told. */
class FakeServer {
  readonly failures: number[] = []; // statuses of the next pieces
  readonly stored: { folder: string; name: string; size: number }[] = [];
  readonly folders: string[] = [];
  readonly offsets: number[] = [];
  readonly givenUp: string[] = [];
  hangs = false;
  making: Promise<void> | undefined; // of the next folders
  private readonly begun = new Map<string, { folder: string; name: string; size: number; offset: number }>();

  readonly api = {
    makeFolder: (path: string, name: string) => {
      this.folders.push(`${path}/${name}`);
      if (this.making) return this.making;
      return name === "taken" ? Promise.reject(new ApiError(409, "There is already a folder")) : Promise.resolve();
    },
    beginUpload: (folder: string, name: string, size: number) => {
      if (size > 100 * PIECE) return Promise.reject(new ApiError(413, "The file is larger than 1 GiB"));
      const id = String(this.begun.size);
      this.begun.set(id, { folder, name, size, offset: 0 });
      return Promise.resolve({ id, name, offset: 0, complete: size === 0 });
    },
    sendPiece: (id: string, offset: number, piece: Blob, sent: (bytes: number) => void, signal: AbortSignal) => {
      this.offsets.push(offset);
      const upload = this.begun.get(id);
      const failure = this.failures.shift();
      if (!upload || offset !== upload.offset) return Promise.reject(new ApiError(409, "offset"));
      if (this.hangs) {
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
      }
      if (failure !== undefined) {
        upload.offset += Math.min(3, piece.size); // what had arrived
        return Promise.reject(new ApiError(failure, "it failed"));
      }
      sent(piece.size);
      upload.offset += piece.size;
      const complete = upload.offset === upload.size;
      if (complete) this.stored.push({ folder: upload.folder, name: upload.name, size: upload.size });
      return Promise.resolve({ id, name: upload.name, offset: upload.offset, complete });
    },
    uploadState: (id: string) => Promise.resolve({ id, name: "", offset: this.begun.get(id)?.offset ?? 0, complete: false }),
    paste: (file: File) => {
      const failure = this.failures.shift();
      if (failure !== undefined) return Promise.reject(new ApiError(failure, "it failed"));
      return Promise.resolve(`/u/${file.name}`);
    },
    giveUp: (id: string) => Promise.resolve(this.givenUp.push(id)),
  } as unknown as FileApi;
}

describe("uploads", () => {
  let server: FakeServer;
  let uploads: Uploads;

  beforeEach(() => {
    vi.useFakeTimers();
    server = new FakeServer();
    uploads = new Uploads(server.api);
  });
  afterEach(() => vi.useRealTimers());

  const file = (name: string, size: number): File => new File([new Uint8Array(size)], name);
  const ended = () => vi.waitFor(() => expect(uploads.progress?.active).toBe(false));

  it("go piece by piece, one file after the other, an empty one too", async () => {
    void uploads.add("/p", [
      { file: file("big", PIECE + 1), folder: "" },
      { file: file("empty", 0), folder: "" },
    ]);
    await ended();
    expect(server.stored.map(({ name, size }) => [name, size])).toEqual([["big", PIECE + 1], ["empty", 0]]);
    expect(uploads.progress).toMatchObject({ count: 2, stored: 2, failed: 0, percent: 100, remarks: [] });
  });

  it("make the folders first, and use those that are there", async () => {
    void uploads.add("/p", [{ file: file("a", 1), folder: "taken/new" }]);
    await ended();
    expect(server.folders).toEqual(["/p/taken", "/p/taken/new"]);
    expect(server.stored).toEqual([{ folder: "/p/taken/new", name: "a", size: 1 }]);
    expect(uploads.progress?.remarks).toEqual([]);
  });

  it("wait for their folders while other files are sent", async () => {
    let made = (): void => undefined;
    server.making = new Promise((resolve) => (made = resolve));
    void uploads.add("/p", [{ file: file("b", 1), folder: "slow" }]);
    expect(uploads.progress).toMatchObject({ active: true, name: "", percent: 0 });
    void uploads.add("/p", [{ file: file("a", 1), folder: "" }]);
    await vi.waitFor(() => expect(server.stored.map(({ name }) => name)).toEqual(["a"]));
    expect(uploads.progress).toMatchObject({ active: true, stored: 1 });
    made();
    await ended();
    expect(server.stored.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(uploads.progress).toMatchObject({ count: 2, stored: 2, remarks: [] });
  });

  it("that are cancelled while their folders are made do not begin", async () => {
    let made = (): void => undefined;
    server.making = new Promise((resolve) => (made = resolve));
    void uploads.add("/p", [{ file: file("a", 1), folder: "one/two" }]);
    uploads.cancel();
    made();
    await ended();
    expect(server.folders).toEqual(["/p/one"]);
    expect(server.stored).toEqual([]);
    expect(uploads.progress).toMatchObject({ count: 0, remarks: ["Cancelled"] });
  });

  it("for a terminal give it the paths, each once, also of files that are tried again", async () => {
    const pasted = new TerminalUploads(server.api);
    const all: (readonly string[])[] = [];
    pasted.addEventListener("stored", () => all.push(pasted.takePaths()));
    server.failures.push(507);
    void pasted.add("", [{ file: file("a", 1), folder: "" }]);
    void pasted.add("", [{ file: file("b", 1), folder: "" }]);
    await vi.waitFor(() => expect(all).toEqual([["/u/b"]]));
    expect(pasted.progress).toMatchObject({ stored: 1, failed: 1, remarks: ["a: it failed"] });
    pasted.retry();
    await vi.waitFor(() => expect(all).toEqual([["/u/b"], ["/u/a"]]));
    expect(pasted.progress).toMatchObject({ stored: 2, failed: 0, remarks: [] });
  });

  it("go on after a broken connection where the server has got to", async () => {
    server.failures.push(0, 503);
    void uploads.add("/p", [{ file: file("a", 20), folder: "" }]);
    await vi.advanceTimersByTimeAsync(30_000);
    await ended();
    expect(server.offsets).toEqual([0, 3, 6]);
    expect(server.stored).toHaveLength(1);
  });

  it("ask the user after many failures, and then go on as well", async () => {
    server.failures.push(0, 0, 0, 0, 0, 0);
    void uploads.add("/p", [{ file: file("a", 40), folder: "" }]);
    await vi.advanceTimersByTimeAsync(120_000);
    await ended();
    expect(uploads.progress).toMatchObject({ failed: 1, remarks: ["a: it failed"] });
    uploads.retry();
    await ended();
    expect(server.offsets.at(-1)).toBe(18);
    expect(server.stored).toHaveLength(1);
  });

  it("that are refused say why, are given up, and do not hold up the others", async () => {
    server.failures.push(507);
    void uploads.add("/p", [
      { file: file("full", 5), folder: "" },
      { file: file("b", 5), folder: "" },
    ]);
    await ended();
    expect(uploads.progress).toMatchObject({ stored: 1, failed: 1, remarks: ["full: it failed"] });
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.givenUp).toEqual(["0"]);
  });

  it("that are cancelled are given up, and later ones begin anew", async () => {
    server.hangs = true;
    void uploads.add("/p", [{ file: file("a", 5), folder: "" }]);
    await vi.waitFor(() => expect(server.offsets).toEqual([0]));
    uploads.cancel();
    server.hangs = false;
    await ended();
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.givenUp).toEqual(["0"]);
    expect(uploads.progress?.remarks).toEqual(["Cancelled"]);
    void uploads.add("/p", [{ file: file("b", 5), folder: "" }]);
    await ended();
    expect(server.stored.map(({ name }) => name)).toEqual(["b"]);
    expect(uploads.progress?.remarks).toEqual([]);
  });
});
