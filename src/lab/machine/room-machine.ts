/**
 * A room as a machine: a part of this one, with mounts of its own and perhaps a network of its own. Each job
 * is the first process of a process namespace, so that all it started ends with it, and it with us.
 */
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { assert } from "../../core/assert.ts";
import { endedEarly } from "../guest/job.ts";
import { failed, type RunResult, signalProcess, type Tied } from "../guest/process.ts";
import type { Room } from "../guest/room.ts";
import type { ExecOptions, Job, JobSignal, Machine } from "./machine.ts";

const outputCharactersMax = 4 * 1024 * 1024;

export class RoomMachine implements Machine {
  readonly name: string;
  readonly room: Room;

  constructor(name: string, room: Room) {
    this.name = name;
    this.room = room;
  }

  async exec(script: string, options?: ExecOptions): Promise<RunResult> {
    return await this.room.run(["sh", "-c", script], options);
  }

  async check(script: string, options?: ExecOptions): Promise<string> {
    const result = await this.exec(`set -e\n${script}`, options);
    if (result.exitCode !== 0) throw failed(`on ${this.name}, ${script}`, result);
    return result.stdout;
  }

  async mountTable(): Promise<string> {
    return await readFile(`/proc/${this.room.pid}/mountinfo`, "utf8");
  }

  async start(script: string): Promise<Job> {
    const unshare = ["unshare", "--pid", "--fork", "--kill-child", "--", "sh", "-c", script];
    const stdio = ["ignore", "pipe", "pipe", "pipe"] as const;
    return new RoomJob(this.name, await this.room.start(["env", "JOB=job", ...unshare], stdio));
  }
}

class RoomJob implements Job {
  readonly exited: Promise<number>;
  readonly up: Promise<number>;
  readonly #process: Tied;
  #output = "";
  #hasEnded = false;

  constructor(machine: string, process: Tied) {
    this.#process = process;
    const [, stdout, stderr, line] = process.child.stdio;
    for (const stream of [stdout, stderr]) {
      assert(stream instanceof Readable, "a job's output has pipes");
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-outputCharactersMax);
      });
    }
    this.exited = process.exited.then(({ code }) => {
      this.#hasEnded = true;
      return code ?? 128;
    });
    assert(line instanceof Readable, "a job's line has a pipe");
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    createInterface(line).once("line", (words) => resolve(Number(words.split(" ").at(-1))));
    process.child.once("close", (code) => reject(endedEarly(machine, code ?? 128, this.#output)));
    promise.catch(() => {}); // who does not wait for it need not hear of it
    this.up = promise;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async signal(name: JobSignal): Promise<void> {
    if (this.#hasEnded) return;
    if (name === "KILL") this.#process.child.kill("SIGKILL");
    else signalProcess(await this.up, `SIG${name}`);
  }

  async output(): Promise<string> {
    return this.#output;
  }
}
