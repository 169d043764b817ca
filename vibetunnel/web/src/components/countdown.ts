/** Counts down the seconds until the next attempt is allowed. */

import type { ReactiveController, ReactiveControllerHost } from "lit";

const TICK_MS = 250; // often enough that no second is skipped

export class Countdown implements ReactiveController {
  private end_ms = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** `onEnd` is called when the wait is over. */
  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly onEnd: () => void,
  ) {
    host.addController(this);
  }

  hostDisconnected(): void {
    clearInterval(this.timer);
  }

  /** The remaining seconds, rounded up. */
  get left_s(): number {
    return Math.max(0, Math.ceil((this.end_ms - Date.now()) / 1000));
  }

  start(seconds: number): void {
    clearInterval(this.timer);
    this.end_ms = Date.now() + seconds * 1000;
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.host.requestUpdate();
  }

  private tick(): void {
    if (this.left_s === 0) {
      clearInterval(this.timer);
      this.onEnd();
    }
    this.host.requestUpdate();
  }
}
