import type { ReactiveControllerHost } from "lit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Countdown } from "../src/components/countdown.js";

const update = vi.fn();
const host = {
  addController: () => undefined,
  removeController: () => undefined,
  requestUpdate: update,
  updateComplete: Promise.resolve(true),
} satisfies ReactiveControllerHost;

beforeEach(() => {
  vi.useFakeTimers();
  update.mockClear();
});

afterEach(() => vi.useRealTimers());

describe("a countdown", () => {
  it("counts the seconds down, and says when it is over", () => {
    const over = vi.fn();
    const countdown = new Countdown(host, over);
    expect(countdown.left_s).toBe(0);
    countdown.start(3);
    expect(countdown.left_s).toBe(3);
    vi.advanceTimersByTime(1001);
    expect(countdown.left_s).toBe(2);
    expect(over).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2000);
    expect(countdown.left_s).toBe(0);
    expect(over).toHaveBeenCalledOnce();
    expect(update).toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("begins anew when there is another wait", () => {
    const over = vi.fn();
    const countdown = new Countdown(host, over);
    countdown.start(1);
    countdown.start(5);
    vi.advanceTimersByTime(2000);
    expect(countdown.left_s).toBe(3);
    expect(over).not.toHaveBeenCalled();
  });

  it("leaves nothing behind with its page", () => {
    const countdown = new Countdown(host, () => undefined);
    countdown.start(60);
    countdown.hostDisconnected();
    expect(vi.getTimerCount()).toBe(0);
  });
});
