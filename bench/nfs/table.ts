import { cpus } from "node:os";

/** One measured figure, what was wanted of it, and what kept it from being better. */
export interface Row {
  readonly what: string;
  readonly measured: string;
  readonly wanted?: string;
  readonly holds?: boolean;
  readonly limit?: string;
}

export function atLeast(what: string, value: number, unit: string, least?: number, limit?: string): Row {
  return row(what, value, unit, limit, least === undefined ? undefined : ["≥", least, value >= least]);
}

export function atMost(what: string, value: number, unit: string, most?: number, limit?: string): Row {
  return row(what, value, unit, limit, most === undefined ? undefined : ["≤", most, value <= most]);
}

function row(
  what: string,
  value: number,
  unit: string,
  limit?: string,
  goal?: readonly [sign: string, value: number, holds: boolean],
): Row {
  const measured = `${format(value)} ${unit}`;
  const row: Row = limit === undefined ? { what, measured } : { what, measured, limit };
  if (goal === undefined) return row;
  const [sign, wanted, holds] = goal;
  return { ...row, wanted: `${sign} ${format(wanted)} ${unit}`, holds };
}

export function printHead(title: string): string {
  return `### ${title}\n\n| what | measured | wanted | holds | limit met |\n|---|--:|--:|---|---|\n`;
}

export function printRow({ what, measured, wanted = "", holds, limit = "" }: Row): string {
  const verdict = holds === undefined ? "" : holds ? "yes" : "**no**";
  return `| ${what} | ${measured} | ${wanted} | ${verdict} | ${limit} |\n`;
}

/** Of an odd number of values; the upper one of the two in the middle otherwise. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0).replace(/\.0+$/, "");
}

export interface Times {
  readonly items: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly serverCpuMs: number | undefined;
  /** What all processes of this machine used. */
  readonly machineCpuMs: number;
}

const busy = 0.85;

/**
 * What was busy: the first that had no time left is the limit. What an item costs client and server tells
 * what a machine without others would give.
 */
export function limitOf(times: Times, otherwise: string): string {
  const { items, ms, cpuMs, serverCpuMs = 0, machineCpuMs } = times;
  const others = Math.max(0, machineCpuMs - cpuMs - serverCpuMs) / ms;
  const told = `client ${part(cpuMs, ms, items)}, server ${part(serverCpuMs, ms, items)}, others ${percent(others)}`;
  return `${limitName(times, otherwise)}: ${told}`;
}

function limitName({ ms, cpuMs, serverCpuMs = 0, machineCpuMs }: Times, otherwise: string): string {
  if (cpuMs / ms >= busy) return "CPU of the client";
  if (serverCpuMs / ms >= busy) return "CPU of the server";
  return machineCpuMs / ms >= busy * cpus().length ? "CPUs of this machine" : otherwise;
}

/** Of one CPU, and for each item. */
function part(cpuMs: number, ms: number, items: number): string {
  return `${percent(cpuMs / ms)} (${format((cpuMs * 1000) / items)} µs each)`;
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}
