import { BerthError } from "./errors.ts";
import { limits } from "./limits.ts";

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const pattern = /^(0|([1-9][0-9]{0,8})(ms|s|m|h|d))$/;

/** `30s`, `10m`, `24h`, `7d`, `250ms` or `0`, in milliseconds, up to a century. @throws BerthError `invalid-argument` */
export function parseDurationMs(text: string): number {
  const [, , count, unit] = pattern.exec(text) ?? [];
  if (text === "0") return 0;
  if (count === undefined || !isUnit(unit)) {
    throw new BerthError(
      "invalid-argument",
      `${JSON.stringify(text.slice(0, 40))} is not a duration: write a whole number and ms, s, m, h or d, such as 24h`,
    );
  }
  const ms = Number(count) * unitMs[unit];
  if (ms <= limits.durationMsMax) return ms;
  throw new BerthError("invalid-argument", `${text} is longer than a century: write 36500d or less`);
}

function isUnit(text: string | undefined): text is keyof typeof unitMs {
  return text !== undefined && text in unitMs;
}
