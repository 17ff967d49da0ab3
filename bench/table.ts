/** One measured figure beside what it should be. */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  readonly wanted: string;
  readonly holds: boolean;
}

export function atMost(what: string, value: number, unit: string, most: number): Figure {
  return {
    what,
    measured: `${format(value)} ${unit}`,
    wanted: `≤ ${format(most)} ${unit}`,
    holds: value <= most,
  };
}

export function atLeast(what: string, value: number, unit: string, least: number): Figure {
  return {
    what,
    measured: `${format(value)} ${unit}`,
    wanted: `≥ ${format(least)} ${unit}`,
    holds: value >= least,
  };
}

export function printTable(figures: readonly Figure[]): string {
  const rows = figures.map(
    ({ what, measured, wanted, holds }) =>
      `| ${what} | ${measured} | ${wanted} | ${holds ? "yes" : "**no**"} |`,
  );
  return ["| what | measured | wanted | holds |", "|---|--:|--:|---|", ...rows, ""].join("\n");
}

/** The middle one; for an even count the higher of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function format(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0).replace(/\.0$/, "");
}
