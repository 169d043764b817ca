/** Uploads for a terminal: the server chooses their folder, and the terminal gets their paths. */

import { type Job, Uploads } from "./uploads.js";

export class TerminalUploads extends Uploads {
  private paths: string[] = [];

  /** The paths of the files that were stored since the last call. */
  takePaths(): readonly string[] {
    return this.paths.splice(0);
  }

  protected override async send(job: Job, signal: AbortSignal): Promise<string> {
    const sent = (bytes: number): void => {
      job.sent = Math.min(job.file.size, bytes); // a form is longer
      this.changed();
    };
    this.paths.push(await this.files.paste(job.file, sent, signal));
    return job.file.name;
  }
}
