/** How long to wait before the next attempt to connect. */

const FIRST_MS = 250; // a restarted server is back in less than a second
const LONGEST_MS = 10_000; // a person who looks at the page should not wait longer than this

/**
 * Milliseconds before attempt number `attempt` (from 0): doubling, capped, and spread over the upper half, so that the
 * clients of a server that comes back do not all arrive in the same instant.
 */
export function delay_ms(attempt: number, random: () => number = Math.random): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return whole / 2 + random() * (whole / 2);
}
