/**
 * Programs of this machine that must not outlive us. Each is started under `setpriv --pdeathsig KILL`
 * (prctl(2), PR_SET_PDEATHSIG): the kernel kills it when this process ends, however it ends. The signal
 * is tied to the thread that started the program, so this is for the main thread only.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { BerthError } from "../../core/errors.ts";

/** How a program ended: an exit code, or the signal that killed it. */
export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** A program that runs until it ends, is killed, or we end. */
export interface Tied {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Settles when the program has ended; never rejects. */
  readonly exited: Promise<Exit>;
  /** Sends the signal (KILL unless said) and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<Exit>;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export type Stdio = "pipe" | "ignore";

const runMsMax = 60_000;
const outputBytesMax = 16 * 1024 * 1024;

/** Starts a program whose end is tied to ours. @throws BerthError `failed-precondition` when it cannot be started */
export async function startTied(
  command: readonly string[],
  stdio: readonly Stdio[],
  env?: Readonly<Record<string, string>>,
): Promise<Tied> {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command], {
    stdio: [...stdio],
    ...(env === undefined ? {} : { env: { ...env } }),
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(notStarted(command, cause)));
  });
  const { pid } = child;
  if (pid === undefined) throw notStarted(command, undefined);
  return {
    pid,
    child,
    exited,
    async kill(signal = "SIGKILL") {
      child.kill(signal);
      return await exited;
    },
  };
}

/** Runs a program to its end and collects what it wrote. @throws BerthError `deadline-exceeded` when it had to be killed */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const tied = await startTied(command, ["pipe", "pipe", "pipe"], options.env);
  const stdout = collect(tied.child.stdout);
  const stderr = collect(tied.child.stderr);
  tied.child.stdin?.on("error", () => {}); // a program need not read its input
  tied.child.stdin?.end(options.input);
  const timeoutMs = options.timeoutMs ?? runMsMax;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    void tied.kill();
  }, timeoutMs);
  const exit = await tied.exited.finally(() => clearTimeout(timer));
  if (late) {
    throw new BerthError(
      "deadline-exceeded",
      `${command.join(" ")} took longer than ${timeoutMs} ms: killed`,
    );
  }
  return { exitCode: exit.code ?? 128, stdout: await stdout, stderr: await stderr };
}

/** `run` for a program that has to succeed; gives its standard output. @throws BerthError `internal` */
export async function check(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, options);
  if (result.exitCode !== 0) throw failed(command.join(" "), result);
  return result.stdout;
}

/** What to throw for a program that has to succeed and did not. */
export function failed(what: string, result: RunResult): BerthError {
  const said = (result.stderr.trim() || result.stdout.trim() || "nothing").slice(-2000);
  return new BerthError("internal", `${what} ended with exit code ${result.exitCode} and said: ${said}`);
}

/** Stops a process (SIGSTOP) and resolves when none of its threads runs any more; the signal alone only asks. */
export async function pause(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  while ((await threadStates(pid)).some((state) => !"TtZX".includes(state))) await delay(1);
}

/** Sends a signal to a process by its number. One that has ended meanwhile is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (reason) {
    if (!(reason instanceof Error && "code" in reason && reason.code === "ESRCH")) throw reason;
  }
}

/** The processes that a process has started and that still run; for a signal that must reach them. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.split(" ").filter(Boolean).map(Number);
}

/** One letter for each thread, as in proc(5): `R`unning, `S`leeping, s`T`opped, `Z`ombie … */
async function threadStates(pid: number): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, "utf8").catch(() => ""));
  return (await Promise.all(stats)).filter(Boolean).map((stat) => stat.charAt(stat.lastIndexOf(")") + 2));
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  if (stream === null) return "";
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes <= outputBytesMax) chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks).toString();
}

function notStarted(command: readonly string[], cause: unknown): BerthError {
  return new BerthError(
    "failed-precondition",
    `could not start ${command.join(" ")} under setpriv: is the package util-linux installed?`,
    { cause },
  );
}
