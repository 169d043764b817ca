/** The time to wait before the next attempt to connect. */

const FIRST_MS = 250; // a restarted server is back in less than a second
const LONGEST_MS = 10_000; // the user should not wait longer than this

/**
 * Milliseconds before attempt number `attempt` (from 0): doubled each time, capped, and spread at random over the upper
 * half, so that the clients of a restarted server do not all arrive at the same moment.
 */
export function delay_ms(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return whole / 2 + random() * (whole / 2);
}
