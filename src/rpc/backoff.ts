/** The delay before attempt `attempt` (from 0): doubling, bounded, with up to half of it random. */
export function backoffMs(attempt: number, minMs: number, maxMs: number): number {
  const fullMs = Math.min(maxMs, minMs * 2 ** Math.min(attempt, 30));
  return fullMs * (0.5 + Math.random() / 2);
}
