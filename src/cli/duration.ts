const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function isUnit(text: string | undefined): text is keyof typeof unitsMs {
  return text !== undefined && Object.hasOwn(unitsMs, text);
}

/** `500ms`, `30s`, `10m`, `24h`, `7d` in milliseconds; undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})(ms|s|m|h|d)$/.exec(text) ?? [];
  return count !== undefined && isUnit(unit) ? Number(count) * unitsMs[unit] : undefined;
}
