import { sizeText } from "../../core/size-text.ts";
import type { TreeProgress } from "../../nfs/trees/index.ts";
import { entriesText, printJson } from "./output.ts";

/** How much there is to do, where that is known. */
export interface Total {
  readonly sizeBytes: bigint;
  /** Of a tree. */
  readonly entries?: number;
}

const showEveryMs = 200;
const barCells = 24;

/**
 * How far the work of a command is: a line on the terminal while it goes on, and a sentence when it was cut short.
 * Without a terminal nothing is shown.
 */
export class Progress implements TreeProgress {
  entries = 0;
  sizeBytes = 0n;
  #verb = "";
  #total: Total | undefined;
  #startMs = 0;
  #shownMs = 0;
  readonly #terminal: boolean;

  constructor(terminal: boolean = process.stderr.isTTY) {
    this.#terminal = terminal;
  }

  /** @param verb what is done to the entries: "removed" */
  begin(verb: string, total?: Total): void {
    this.entries = 0;
    this.sizeBytes = 0n;
    this.#verb = verb;
    this.#total = total;
    this.#startMs = performance.now();
    this.#shownMs = this.#startMs;
  }

  /** Whether anybody sees it. */
  get shown(): boolean {
    return this.#terminal;
  }

  /** For what is known only when the work is under way. */
  expect(total: Total): void {
    this.#total = total;
  }

  /** As `TreeOptions.onProgress`. */
  readonly show = ({ entries, sizeBytes }: TreeProgress): void => {
    this.entries = entries;
    this.sizeBytes = sizeBytes;
    const nowMs = performance.now();
    if (!this.#terminal || nowMs - this.#shownMs < showEveryMs) return;
    this.#shownMs = nowMs;
    const width = process.stderr.columns || 80;
    const text = progressText(this, this.#total, nowMs - this.#startMs);
    process.stderr.write(`\r\x1b[K${fitting(text, width - 1)}`);
  };

  addBytes(bytes: number): void {
    this.show({ entries: this.entries, sizeBytes: this.sizeBytes + BigInt(bytes) });
  }

  /** Takes the line from the terminal. */
  end(): void {
    if (this.#terminal && this.#verb !== "") process.stderr.write("\r\x1b[K");
  }

  /** What was done so far; undefined when nothing was begun. */
  get summary(): string | undefined {
    if (this.#verb === "") return undefined;
    if (this.#total !== undefined && this.#total.entries === undefined) {
      return `${sizeText(this.sizeBytes)} of ${sizeText(this.#total.sizeBytes)} ${this.#verb}`;
    }
    return `${entriesText(this.entries)} (${sizeText(this.sizeBytes)}) ${this.#verb}`;
  }
}

/** With a total a bar, the rate and the time that is left; without it the entries and their rate. */
export function progressText(done: TreeProgress, total: Total | undefined, elapsedMs: number): string {
  const seconds = Math.max(elapsedMs, 1) / 1000;
  const perSecond = `${Math.round(done.entries / seconds)}/s`;
  if (total === undefined) {
    return `${done.entries} entries, ${sizeText(done.sizeBytes)}, ${perSecond}, ${durationText(seconds)}`;
  }
  const ofBytes = fractionOf(Number(done.sizeBytes), Number(total.sizeBytes));
  const amount = `${sizeText(done.sizeBytes)} of ${sizeText(total.sizeBytes)}`;
  if (total.entries === undefined) {
    const rate = `${sizeText(BigInt(Math.round(Number(done.sizeBytes) / seconds)))}/s`;
    return `${barText(ofBytes)}  ${[amount, rate, ...leftText(ofBytes, seconds)].join(", ")}`;
  }
  const fraction = Math.min(ofBytes, fractionOf(done.entries, total.entries)); // what takes longer
  const entries = `${done.entries} of ${total.entries} entries`;
  // The end may be beyond the terminal's width.
  return `${barText(fraction)}  ${[...leftText(fraction, seconds), entries, perSecond, amount].join(", ")}`;
}

function barText(fraction: number): string {
  const bar = "#".repeat(Math.floor(fraction * barCells)).padEnd(barCells, "-");
  return `[${bar}] ${Math.floor(fraction * 100)}%`;
}

/** Nothing where nothing is done: who knows. */
function leftText(fraction: number, seconds: number): readonly string[] {
  return fraction > 0 ? [`${durationText(seconds / fraction - seconds)} left`] : [];
}

function fractionOf(done: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, done / total);
}

/** In one line: the bar goes first, for the figures say more. */
export function fitting(text: string, width: number): string {
  return (text.length <= width ? text : text.replace(/^\[[#-]*\] /, "")).slice(0, width);
}

/** `7 s`, `3 min 20 s`, `2 h 5 min` */
export function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** JSON for programs, or lines for people. */
export function report(json: boolean | undefined, value: unknown, print: () => void): void {
  if (json === true) printJson(value);
  else print();
}
