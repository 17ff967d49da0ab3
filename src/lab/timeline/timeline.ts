import type { Call } from "../calls.ts";
import type { RecordedCall } from "../invariants/recording.ts";
import { Lanes } from "./lanes.ts";
import type { Paint, Style } from "./style.ts";
import { columns, fit, fitPath, printDuration, wrap } from "./text.ts";

const timeWidth = 7;
const gap = "  ";
const rpcWidth = 23;

export interface TimelineOptions {
  readonly components: readonly string[];
  readonly write: (text: string) => void;
  readonly paint: Paint;
}

/** Calls of one kind by one component, one right after the other: shown as one line. */
interface Group {
  readonly first: RecordedCall;
  readonly last: RecordedCall;
  readonly count: number;
  readonly tookMs: number;
}

/**
 * The experiment as it goes, in 80 columns: the time, a lane for each component, and what happens. A
 * lane is heavy while the volume is mounted on that node.
 */
export class Timeline {
  readonly #options: TimelineOptions;
  readonly #lanes: Lanes;
  readonly #pending = new Map<string, Group>();
  readonly #explained = new Set<string>();
  readonly #called = new Set<string>();
  #steps = 0;
  #isWatching = false;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options.components);
  }

  /** From here on calls are shown; those of the start explain nothing. */
  watch(): void {
    this.#isWatching = true;
  }

  /** Begins a step: what the person does, and what to look for. */
  step(command: string, explanation: string): void {
    this.#steps += 1;
    this.#explained.clear();
    this.#called.clear();
    const begin = `─ ${this.#steps} ─`;
    const title = fit(command, columns - begin.length - 1);
    const rule = "─".repeat(Math.max(0, columns - begin.length - title.length - 2));
    this.text("");
    this.#write(`${this.#paint("dim", begin)} ${this.#paint("command", title)} ${this.#paint("dim", rule)}`);
    this.text(explanation);
    this.#write(this.#paint("dim", `${"seconds".padStart(timeWidth)}${gap}${this.#lanes.header()}`));
  }

  /** Shows what is pending. */
  flush(): void {
    for (const component of [...this.#pending.keys()]) this.#flush(component);
  }

  /** Ends a step: shows what is pending, and whom nobody called. */
  endStep(): void {
    this.flush();
    const idle = this.#options.components.filter((component) => !this.#called.has(component));
    if (idle.length > 0) this.#line(this.#lanes.line(), `no call: ${idle.join(", ")}`, "dim");
  }

  /** A call begins: what the same component did before is complete now. */
  begin(call: Call): void {
    const group = this.#pending.get(call.component);
    if (group !== undefined && !continues(group, call)) this.#flush(call.component);
  }

  end(call: RecordedCall): void {
    if (!this.#isWatching) return;
    this.#called.add(call.component);
    const group = this.#pending.get(call.component);
    const tookMs = call.endMs - call.startMs;
    this.#pending.set(call.component, {
      first: group?.first ?? call,
      last: call,
      count: (group?.count ?? 0) + 1,
      tookMs: (group?.tookMs ?? 0) + tookMs,
    });
    // Only questions come in rows; what changes something is shown at once.
    if (call.path !== "" || call.volumeId !== "" || call.code !== "OK") this.#flush(call.component);
  }

  /** Why a call was not made. */
  note(component: string, text: string): void {
    this.#flush(component);
    this.#explain(text);
  }

  /** Lines beside the lanes. */
  text(text: string, style?: Style): void {
    for (const line of wrap(text, columns - 2))
      this.#write(line === "" ? "" : `  ${this.#styled(style, line)}`);
  }

  /** A line as it is. */
  raw(line: string, style?: Style): void {
    this.#write(`  ${this.#styled(style, fit(line, columns - 2))}`);
  }

  /** A line of somebody else's, in full however long it is. */
  verbatim(line: string): void {
    this.#write(`  ${line}`);
  }

  #flush(component: string): void {
    const group = this.#pending.get(component);
    if (group === undefined) return;
    this.#pending.delete(component);
    const { last } = group;
    if (last.code === "OK" && last.rpc === "NodeStageVolume") this.#lanes.hold(component);
    if (last.code === "OK" && last.rpc === "NodeUnstageVolume") this.#lanes.release(component);
    this.#write(this.#callLine(group));
    if (last.code !== "OK") this.#explain(`${last.code}: ${last.message}`);
    this.#explain(last.why);
  }

  #callLine({ last, count, tookMs }: Group): string {
    const { component, rpc, code, subject, volumeId, endMs } = last;
    const failed = code !== "OK";
    const time = (endMs / 1000).toFixed(3).padStart(timeWidth);
    const lanes = this.#lanes.line(component, failed ? "failed" : "call");
    const took = printDuration(tookMs).padStart(9);
    const name = `${component.padEnd(this.#nameWidth)} `;
    const method = (count === 1 ? rpc : `${rpc} x${count}`).padEnd(rpcWidth);
    const width = this.#textWidth - name.length - method.length - took.length - 1;
    const object = fitPath(subject || volumeId, width).padEnd(width);
    const style = failed ? "bad" : "call";
    return `${time}${gap}${lanes}${gap}${name}${this.#paint(style, method)}${object} ${took}`;
  }

  /** A reason is given once in each step: the second node does the same for the same reason. */
  #explain(text: string): void {
    if (this.#explained.has(text)) return;
    this.#explained.add(text);
    const indent = " ".repeat(this.#nameWidth + 1);
    for (const line of wrap(text, this.#textWidth - indent.length)) {
      this.#line(this.#lanes.line(), `${indent}${line}`, "dim");
    }
  }

  #line(lanes: string, text: string, style: Style): void {
    this.#write(
      `${" ".repeat(timeWidth)}${gap}${lanes}${gap}${this.#paint(style, fit(text, this.#textWidth))}`,
    );
  }

  get #nameWidth(): number {
    return Math.max(...this.#options.components.map((name) => name.length));
  }

  get #textWidth(): number {
    return columns - timeWidth - 2 * gap.length - this.#lanes.width;
  }

  #styled(style: Style | undefined, text: string): string {
    return style === undefined ? text : this.#paint(style, text);
  }

  #paint(style: Style, text: string): string {
    return this.#options.paint(style, text);
  }

  #write(line: string): void {
    this.#options.write(`${line.trimEnd()}\n`);
  }
}

function continues(group: Group, call: Call): boolean {
  const { last } = group;
  return last.rpc === call.rpc && last.path === call.path && last.volumeId === call.volumeId;
}
