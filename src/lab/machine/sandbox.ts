import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { BerthError } from "../../core/errors.ts";

export interface SandboxOptions {
  /** Others than root become it in a user namespace of their own. */
  readonly isRoot: boolean;
  /** Ends everything when it fires. */
  readonly stop: AbortSignal;
  /** Sends SIGKILL to a process. */
  readonly kill: (pid: number) => void;
  /** Where what the command says on its standard error goes. */
  readonly stderr: NodeJS.WritableStream;
}

const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];

/**
 * Runs a command as the first process of new mount and PID namespaces. Whatever ends it, the kernel ends
 * every process in there with it, and takes down every mount. It needs no cooperation from inside:
 * - when we die, even by SIGKILL, `setpriv` has the kernel kill `unshare`, and `--kill-child` the rest;
 * - when we are told to stop, we kill the first process, and `unshare` ends once all others have.
 *
 * @returns its exit code, as a shell has it: 128 and the number of a signal that ended it
 */
export async function runSandboxed(
  command: readonly string[],
  { isRoot, stop, kill, stderr }: SandboxOptions,
): Promise<number> {
  // A network of its own as root, who may have guests on it: no interface of theirs is seen outside.
  const user = isRoot ? ["--net"] : ["--user", "--map-root-user"];
  const args = ["--pdeathsig", "KILL", "unshare", ...user, ...namespaces, "--", ...command];
  // A session of its own: the terminal's Ctrl-C reaches us alone.
  const child = spawn("setpriv", args, { stdio: ["ignore", "inherit", "pipe"], detached: true });
  child.stderr.pipe(stderr, { end: false });
  const onStop = () => {
    child.stderr.unpipe(); // unshare complains about the end that we make
    child.stderr.resume();
    killFirstProcess(child, kill);
  };
  stop.addEventListener("abort", onStop, { once: true });
  try {
    const [code, signal] = await exitOf(child);
    return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

/** While `unshare` has not forked yet, it is itself the one to end. */
function killFirstProcess(child: ChildProcess, kill: SandboxOptions["kill"]): void {
  const first = firstChildOf(child.pid);
  if (first === undefined) child.kill("SIGKILL");
  else kill(first);
}

function firstChildOf(pid: number | undefined): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    return first === undefined || first === "" ? undefined : Number(first);
  } catch {
    return undefined; // it has ended already, or the kernel does not tell
  }
}

async function exitOf(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  try {
    const [code, signal] = await once(child, "close");
    return [code, signal];
  } catch (reason) {
    throw new BerthError(
      "failed-precondition",
      "cannot start setpriv and unshare: install util-linux (on Linux)",
      {
        cause: reason,
      },
    );
  }
}
