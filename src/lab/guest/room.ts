/**
 * A room: a mount namespace, and on request a network namespace, of its own on this machine. One process
 * holds it open; what is mounted in it, and the interfaces of its network, are gone when that process and
 * all that was started in the room have ended: when the room is disposed of, and at the latest when we end.
 *
 * `/run` in the room is a memory file system that nobody else sees. From outside it is reached through
 * `/proc/<pid of the holder>/root`, which is what `path` gives.
 */
import { createInterface } from "node:readline";
import { BerthError } from "../../core/errors.ts";
import { check, type RunOptions, type RunResult, run, type Stdio, startTied, type Tied } from "./process.ts";

export interface RoomOptions {
  /** With a network of its own, which has nothing but a loopback interface that is down. */
  readonly network: boolean;
  /** The room that it is a part of: what is mounted there when it opens is seen here too. */
  readonly within?: Room;
}

export class Room implements AsyncDisposable {
  readonly #holder: Tied;
  readonly #hasNetwork: boolean;
  readonly #enter: readonly string[];
  readonly #programs = new Set<Tied>();

  private constructor(holder: Tied, network: boolean) {
    this.#holder = holder;
    this.#hasNetwork = network;
    this.#enter = ["nsenter", `--target=${holder.pid}`, "--mount", ...(network ? ["--net"] : []), "--"];
  }

  /** @throws BerthError `failed-precondition` where namespaces cannot be made: it needs root */
  static async open(options: RoomOptions): Promise<Room> {
    const { within } = options;
    const unshare = [
      ...(within === undefined ? [] : within.#enter),
      ...["unshare", "--mount", ...(options.network ? ["--net"] : [])],
    ];
    // `cat` ends with our end of its standard input, and without it by the signal that ties it.
    const script = "mount -t tmpfs -o mode=755,size=75% berth-room /run && echo open && exec cat";
    const holder = await startTied([...unshare, "sh", "-ec", script], ["pipe", "pipe", "pipe"]);
    await isOpen(holder);
    const inherited = within === undefined ? false : within.#hasNetwork;
    return new Room(holder, options.network || inherited);
  }

  /** Names the room's network namespace for `ip link set … netns <pid>`. */
  get pid(): number {
    return this.#holder.pid;
  }

  /** A path in the room as the rest of the machine reaches it. */
  path(inside: string): string {
    return `/proc/${this.#holder.pid}/root${inside}`;
  }

  /** Starts a program in the room. */
  async start(
    command: readonly string[],
    stdio: readonly Stdio[],
    env?: Readonly<Record<string, string>>,
  ): Promise<Tied> {
    const program = await startTied([...this.#enter, ...command], stdio, env);
    this.#programs.add(program);
    void program.exited.then(() => this.#programs.delete(program));
    return program;
  }

  /** Runs a program in the room to its end. */
  async run(command: readonly string[], options?: RunOptions): Promise<RunResult> {
    return await run([...this.#enter, ...command], options);
  }

  /** Runs a program that has to succeed; gives its standard output. @throws BerthError `internal` */
  async check(command: readonly string[], options?: RunOptions): Promise<string> {
    return await check([...this.#enter, ...command], options);
  }

  /** Ends everything that was started in the room, and the room. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.kill()));
    await this.#holder.kill();
  }
}

async function isOpen(holder: Tied): Promise<void> {
  const { stdout, stderr } = holder.child;
  if (stdout === null || stderr === null) throw new TypeError("the holder of a room has pipes");
  let said = "";
  stderr.on("data", (chunk) => {
    said += String(chunk);
  });
  const opened = new Promise<true>((resolve) => createInterface(stdout).once("line", () => resolve(true)));
  if ((await Promise.race([opened, holder.exited])) === true) return;
  throw new BerthError(
    "failed-precondition",
    `could not make namespaces (${said.trim()}): servers and guests need root`,
  );
}
