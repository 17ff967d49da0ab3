/** A machine of the lab, whatever it is made of: this one, a part of it, or a guest. */
import type { RunResult } from "../guest/process.ts";

export type JobSignal = "TERM" | "KILL" | "STOP" | "CONT";

export interface ExecOptions {
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
}

/** A program that runs until it ends, is ended, or its machine is. */
export interface Job {
  /** Its exit code, 128 and more for a signal; 255 when its machine has gone with it. Never rejects. */
  readonly exited: Promise<number>;
  readonly hasEnded: boolean;
  /**
   * Settles when the program has said `up` (see `sayUp`), with its process number as its machine counts.
   * @throws BerthError `unavailable`, with what it complained of, when it ended before
   */
  readonly up: Promise<number>;
  /** To the process that said `up`, or else to all of the job. @throws BerthError when it is not up and cannot be told */
  signal(name: JobSignal): Promise<void>;
  /** What it has written to its standard output and error; of a long log, the end. */
  output(): Promise<string>;
}

export interface Machine {
  readonly name: string;
  /** Runs a shell script to its end, whatever its exit code. @throws BerthError as `ControlLine.exec` */
  exec(script: string, options?: ExecOptions): Promise<RunResult>;
  /** Runs a shell script that has to succeed, as `sh -e`; gives its standard output. @throws BerthError `internal` */
  check(script: string, options?: ExecOptions): Promise<string>;
  /** Its mount table (proc_pid_mountinfo(5)), without starting a process. */
  mountTable(): Promise<string>;
  /** Starts a shell script; it should `exec` the program, after `sayUp`. */
  start(script: string): Promise<Job>;
}

/** Tells the lab that what a job was started for has begun, and which process it is. Ends with file 3 closed. */
export const sayUp = 'read -r pid _ < /proc/self/stat\necho "$JOB up $pid" >&3\nexec 3>&-\n';

/** A text as one word of a shell script. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function commandLine(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}
