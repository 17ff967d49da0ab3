/**
 * A guest: a user-mode Linux kernel, which is an ordinary process, running the programs of this machine on
 * its own read-only root. It boots in about 1.5 s and needs no virtualisation. What is written in it stays
 * in its memory; whatever happens to us, it is gone when we are.
 *
 *     await using network = await GuestNetwork.open();
 *     await using guest = await Guest.boot(network, { name: "node-1" });
 *     await guest.check("mount -t nfs4 10.70.3.1:/srv/xfs /mnt");
 *
 * Each guest is bound to one CPU: left to wander, every switch between its kernel and its processes may
 * cross CPUs, and it boots and runs three times slower (measured).
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { Readable, Writable } from "node:stream";
import { assert } from "../../core/assert.ts";
import { BerthError } from "../../core/errors.ts";
import type { ExecOptions, Job, Machine } from "../machine/machine.ts";
import { ControlLine } from "./control-line.ts";
import { initScript } from "./init-script.ts";
import type { GuestNetwork, Port } from "./network.ts";
import { requirePrograms } from "./packages.ts";
import { childrenOf, failed, pause, type RunResult, type Tied } from "./process.ts";
import { forThisProcessor, processorPrograms } from "./wide-registers.ts";

export interface GuestOptions {
  /** Its host name, unique on its network: NFS servers tell clients apart by it. */
  readonly name: string;
  readonly memoryMib?: number;
  /** Files in the room or on this machine, that the guest sees as `/dev/ubda`, `/dev/ubdb`, … */
  readonly disks?: readonly string[];
  /** The place of a guest that has ended, to come back under its address; a new one unless given. */
  readonly port?: Port;
}

const readyMsMax = 60_000;
const consoleCharactersMax = 256 * 1024;
let guestsBooted = 0;

export class Guest implements Machine, AsyncDisposable {
  readonly name: string;
  readonly port: Port;
  /** Settles when the guest has ended. */
  readonly exited: Promise<unknown>;
  readonly #process: Tied;
  readonly #control: ControlLine;
  #console = "";

  private constructor(name: string, port: Port, process: Tied, controlDirectory: string) {
    const [, console, , toGuest, fromGuest] = process.child.stdio;
    assert(console instanceof Readable && fromGuest instanceof Readable, "a guest's output has pipes");
    assert(toGuest instanceof Writable, "a guest's control line has a pipe");
    this.name = name;
    this.port = port;
    this.exited = process.exited;
    this.#process = process;
    this.#control = new ControlLine(name, controlDirectory, toGuest, fromGuest, process.exited);
    console.on("data", (chunk) => {
      this.#console = (this.#console + String(chunk)).slice(-consoleCharactersMax);
    });
  }

  /** @throws BerthError `failed-precondition` where packages or root are missing; `unavailable`, with what the kernel said, when it does not come up */
  static async boot(network: GuestNetwork, options: GuestOptions): Promise<Guest> {
    requirePrograms(["linux.uml", "modprobe", "ip", ...processorPrograms]);
    const { room } = network;
    const port = options.port ?? (await network.connect());
    const directory = `/run/guests/${options.name}`;
    await mkdir(room.path(`${directory}/control`), { recursive: true });
    await writeFile(room.path(`${directory}/init`), initScript, { mode: 0o755 });
    const kernel = [...(await forThisProcessor(room.path(directory), directory)), "linux.uml"];
    const command = [...(await onOneCpu()), ...kernel, ...kernelArguments(options, port, directory)];
    // A process namespace: the kernel's helpers and its guest processes end with it.
    const process = await room.start(
      ["unshare", "--pid", "--fork", "--kill-child", "--", ...command],
      ["ignore", "pipe", "ignore", "pipe", "pipe"],
      { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: directory, TMPDIR: "/run" },
    );
    const guest = new Guest(options.name, port, process, room.path(`${directory}/control`));
    await guest.#isReady();
    return guest;
  }

  get address(): string {
    return this.port.address;
  }

  /** What the kernel, and whoever wrote to `/dev/console`, have said; the last 256 Ki characters. */
  get console(): string {
    return this.#console;
  }

  /** Runs a shell script to its end, whatever its exit code. @throws BerthError as `ControlLine.exec` */
  async exec(script: string, options?: ExecOptions): Promise<RunResult> {
    return await this.#control.exec(script, options);
  }

  /** Runs a shell script that has to succeed, as `sh -e`; gives its standard output. @throws BerthError `internal` */
  async check(script: string, options?: ExecOptions): Promise<string> {
    const result = await this.exec(`set -e\n${script}`, options);
    if (result.exitCode !== 0) throw failed(`in guest ${this.name}, ${script}`, result);
    return result.stdout;
  }

  async mountTable(): Promise<string> {
    return await this.#control.mountTable();
  }

  /** Starts a shell script that goes on; see `Machine.start`. */
  async start(script: string): Promise<Job> {
    return await this.#control.start(script);
  }

  /** As pressing the button: file systems are written back first. */
  async powerOff(): Promise<void> {
    this.#control.powerOff();
    await this.exited;
  }

  /** As pulling the plug. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** The whole machine stands still, network included. */
  async pause(): Promise<void> {
    await pause(await this.#kernelPid());
  }

  async resume(): Promise<void> {
    process.kill(await this.#kernelPid(), "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #isReady(): Promise<void> {
    const timeout = AbortSignal.timeout(readyMsMax);
    const late = new Promise((resolve) => timeout.addEventListener("abort", () => resolve("late")));
    const first = await Promise.race([this.#control.ready, late, this.exited]);
    if (first === undefined) return;
    await this.kill();
    throw new BerthError(
      "unavailable",
      `guest ${this.name} did not come up; it said: ${this.console.slice(-3000)}`,
    );
  }

  async #kernelPid(): Promise<number> {
    const [pid] = await childrenOf(this.#process.pid);
    if (pid === undefined) throw new BerthError("unavailable", `guest ${this.name} has ended`);
    return pid;
  }
}

function kernelArguments(options: GuestOptions, port: Port, directory: string): string[] {
  const disks = (options.disks ?? []).map((path, index) => `ubd${index}=${path}`);
  return [
    `mem=${options.memoryMib ?? 384}M`,
    ...["rootfstype=hostfs", "rootflags=/", "ro", `init=${directory}/init`, "quiet"],
    ...["con=null", "con0=fd:0,fd:1", "ssl=null", "ssl0=fd:3,fd:4"],
    `uml_dir=${directory}/`,
    `vec0:transport=tap,ifname=${port.tap},mac=${macOf(port)},depth=64,gro=1`,
    `guest_name=${options.name}`,
    `guest_address=${port.addressWithPrefix}`,
    `guest_control=${directory}/control`,
    ...disks,
  ];
}

/** The same for the same address: who comes back after a crash is known to its neighbours. */
function macOf(port: Port): string {
  const numbers = port.address.split(".").map((number) => Number(number).toString(16).padStart(2, "0"));
  return ["02", "00", ...numbers].join(":");
}

/** The CPUs that we may use, one after the other. */
async function onOneCpu(): Promise<string[]> {
  const status = await readFile("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1] ?? "0";
  const cpus = list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  guestsBooted += 1;
  return ["taskset", "--cpu-list", `${cpus[guestsBooted % cpus.length]}`];
}
