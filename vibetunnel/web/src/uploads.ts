/** Uploads into folders: one file after the other, each in pieces that outlive a broken connection. It knows no page. */

import { ApiError, messageOf } from "./api.js";
import { delay_ms } from "./backoff.js";
import type { FileApi } from "./file-api.js";
import { join } from "./file-paths.js";
import { ATTEMPTS, type Chosen, foldersOf, nextPiece, passes, percent } from "./pieces.js";

const SHOWN_FAILURES = 5;
const GIVING_UP = 5; // attempts

export interface Job {
  readonly file: File;
  readonly folder: string;
  sent: number; // bytes
  id: string | undefined; // the server's, once it has begun; kept after a failure, to go on there
  state: "waiting" | "stored" | "failed";
  error: string;
  storedAs: string;
}

/** What the user sees of all uploads. */
export interface Progress {
  readonly count: number;
  readonly stored: number;
  readonly failed: number;
  /** Name of the file that is being sent; empty: none. */
  readonly name: string;
  readonly percent: number;
  readonly active: boolean;
  /** Sentences about what went otherwise than expected. */
  readonly remarks: readonly string[];
}

/** Dispatches `change`, and `stored` when all is done that could be. */
export class Uploads extends EventTarget {
  private jobs: Job[] = [];
  private remarks: string[] = [];
  private current: Job | undefined;
  private ending = new AbortController(); // of all that is under way
  private making = 0; // additions whose folders are being made
  private working = false;

  constructor(protected readonly files: FileApi) {
    super();
  }

  /** Whether something is being uploaded, or about to be. */
  get active(): boolean {
    return this.working || this.making > 0;
  }

  get progress(): Progress | undefined {
    const { jobs } = this;
    if (jobs.length === 0 && this.remarks.length === 0 && !this.active) return undefined;
    const stored = jobs.filter((job) => job.state === "stored");
    const failed = jobs.filter((job) => job.state === "failed");
    const bytes = (all: readonly Job[], of: (job: Job) => number) => all.reduce((sum, job) => sum + of(job), 0);
    const renamed = stored.filter((job) => job.storedAs !== job.file.name);
    return {
      count: jobs.length,
      stored: stored.length,
      failed: failed.length,
      name: this.current?.file.name ?? "",
      percent: percent(
        bytes(jobs, (job) => job.sent),
        bytes(jobs, (job) => job.file.size),
        !this.active && stored.length === jobs.length,
      ),
      active: this.active,
      remarks: [
        ...this.remarks,
        ...failed.slice(0, SHOWN_FAILURES).map((job) => `${job.file.name}: ${job.error}`),
        ...(failed.length > SHOWN_FAILURES ? [`and ${failed.length - SHOWN_FAILURES} more failed`] : []),
        ...renamed.slice(0, SHOWN_FAILURES).map((job) => `${job.file.name} was stored as ${job.storedAs}`),
      ],
    };
  }

  /** Upload into `folder`, after what is being uploaded already. remark: about files that were left out. */
  async add(folder: string, chosen: readonly Chosen[], remark = ""): Promise<void> {
    if (!this.active) this.forget();
    if (remark !== "") this.remarks.push(remark);
    const { signal } = this.ending;
    this.making += 1;
    this.changed();
    await this.makeFolders(folder, foldersOf(chosen), signal);
    this.making -= 1;
    if (signal.aborted) {
      this.changed();
      return;
    }
    const jobs = chosen.map(({ file, folder: below }): Job => {
      const into = below === "" ? folder : join(folder, below);
      return { file, folder: into, sent: 0, id: undefined, state: "waiting", error: "", storedAs: "" };
    });
    this.jobs.push(...jobs); // after their folders are there: another upload may be at work
    await this.work();
  }

  /** Send what has failed once more. */
  retry(): void {
    this.remarks = [];
    for (const job of this.jobs) if (job.state === "failed") job.state = "waiting";
    void this.work();
  }

  /** End all uploads; what is stored stays. */
  cancel(): void {
    this.ending.abort();
    this.ending = new AbortController();
    for (const { id, state } of this.jobs) if (id !== undefined && state === "failed") void this.giveUp(id);
    this.jobs = this.jobs.filter((job) => job.state === "stored");
    this.remarks = ["Cancelled"];
    this.changed();
  }

  /** Remove the report. */
  dismiss(): void {
    this.forget();
    this.changed();
  }

  private forget(): void {
    this.jobs = [];
    this.remarks = [];
  }

  protected changed(): void {
    this.dispatchEvent(new Event("change"));
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    for (let job = this.next(); job; job = this.next()) {
      this.current = job;
      this.changed();
      await this.sendOne(job, this.ending.signal);
    }
    this.current = undefined;
    this.working = false;
    this.changed();
    this.dispatchEvent(new Event("stored"));
  }

  private next(): Job | undefined {
    return this.jobs.find((job) => job.state === "waiting");
  }

  /** A folder that is there already takes the files, too. */
  private async makeFolders(folder: string, below: readonly string[], signal: AbortSignal): Promise<void> {
    for (const each of below) {
      if (signal.aborted) return;
      const end = each.lastIndexOf("/");
      const parent = end < 0 ? folder : join(folder, each.slice(0, end));
      try {
        await this.files.makeFolder(parent, each.slice(end + 1));
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409) this.remarks.push(`${each}: ${messageOf(error)}`);
      }
    }
  }

  private async sendOne(job: Job, signal: AbortSignal): Promise<void> {
    try {
      job.storedAs = await this.send(job, signal);
      job.sent = job.file.size;
      job.state = "stored";
    } catch (error) {
      const mayGoOn = !signal.aborted && error instanceof ApiError && passes(error.status);
      if (job.id !== undefined && !mayGoOn) {
        void this.giveUp(job.id);
        job.id = undefined;
      }
      job.state = "failed";
      job.sent = 0;
      job.error = messageOf(error);
    }
  }

  /** Tell the server, which may still be busy with the piece that was cut off. It forgets it anyway, after an hour. */
  private async giveUp(id: string): Promise<void> {
    for (let attempt = 0; attempt < GIVING_UP; attempt++) {
      await pause(delay_ms(attempt));
      const failed = await this.files.giveUp(id).then(
        () => false,
        (error: unknown) => error instanceof ApiError && error.status === 409,
      );
      if (!failed) return;
    }
  }

  /** Send a file. Returns the name that the server gave it. */
  protected async send(job: Job, signal: AbortSignal): Promise<string> {
    const { file } = job;
    let offset = 0;
    let sentOne = false;
    if (job.id === undefined) job.id = (await this.files.beginUpload(job.folder, file.name, file.size)).id;
    else ({ offset } = await this.files.uploadState(job.id));
    const { id } = job;
    let failures = 0;
    for (let piece = nextPiece(offset, file.size, sentOne); piece; piece = nextPiece(offset, file.size, sentOne)) {
      const [begin, end] = piece;
      try {
        const sent = (bytes: number): void => {
          job.sent = Math.min(end, begin + bytes);
          this.changed();
        };
        const state = await this.files.sendPiece(id, begin, file.slice(begin, end), sent, signal);
        if (state.complete) return state.name;
        ({ offset } = state);
        sentOne = true;
        failures = 0;
      } catch (error) {
        failures += 1;
        if (!(error instanceof ApiError) || !passes(error.status) || failures === ATTEMPTS) throw error;
        await pause(Math.max(delay_ms(failures), error.retryAfter_s * 1000), signal);
        offset = await this.whereToGoOn(id, offset);
      }
    }
    throw new Error("The file changed while it was sent");
  }

  /** Where the server wants the next piece; `otherwise`, if it does not answer. */
  private async whereToGoOn(id: string, otherwise: number): Promise<number> {
    try {
      return (await this.files.uploadState(id)).offset;
    } catch (error) {
      if (error instanceof ApiError && passes(error.status)) return otherwise;
      throw error;
    }
  }
}

/** Wait. Rejects when the signal aborts. */
function pause(time_ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, time_ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
