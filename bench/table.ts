/** One measured figure beside what it should be. */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  /** Undefined for a figure without a goal: one to compare others with, since machines differ. */
  readonly goal?: { readonly wanted: string; readonly holds: boolean };
}

export function atMost(what: string, value: number, unit: string, most: number): Figure {
  return {
    what,
    measured: `${format(value)} ${unit}`,
    goal: { wanted: `≤ ${format(most)} ${unit}`, holds: value <= most },
  };
}

export function atLeast(what: string, value: number, unit: string, least: number): Figure {
  return {
    what,
    measured: `${format(value)} ${unit}`,
    goal: { wanted: `≥ ${format(least)} ${unit}`, holds: value >= least },
  };
}

export function figure(what: string, value: number, unit: string): Figure {
  return { what, measured: `${format(value)} ${unit}` };
}

/** How many times as long, or as much, something is as something else in the same run. */
export function ratio(what: string, value: number, other: number): Figure {
  return { what, measured: `× ${(value / other).toFixed(2)}` };
}

export function printTable(figures: readonly Figure[]): string {
  const rows = figures.map(
    ({ what, measured, goal }) =>
      `| ${what} | ${measured} | ${goal?.wanted ?? ""} | ${goal === undefined ? "" : goal.holds ? "yes" : "**no**"} |`,
  );
  return ["| what | measured | wanted | holds |", "|---|--:|--:|---|", ...rows, ""].join("\n");
}

/** A line for each goal that is missed, or one that says that there is none. */
export function printVerdict(figures: readonly Figure[]): string {
  const missed = figures.filter(({ goal }) => goal?.holds === false);
  if (missed.length === 0) return "All goals are met.\n";
  return missed
    .map(({ what, measured, goal }) => `Missed: ${what}: ${measured}, wanted ${goal?.wanted}\n`)
    .join("");
}

/** The middle one; for an even count the higher of the two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function format(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0).replace(/\.0$/, "");
}
