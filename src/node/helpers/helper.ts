import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { assert } from "../../core/assert.ts";
import { BerthError } from "../../core/errors.ts";
import { randomNonce } from "../../core/nonce.ts";
import { nodeLimits } from "../node-limits.ts";
import { helperScript, type Reply, type Verb } from "./helper-script.ts";

/** What a helper needs of the machine. */
export interface HelperHost {
  /** Sends SIGKILL to the process group that `leaderPid` leads. */
  readonly killGroup: (leaderPid: number) => void;
  /** Its environment; by default the daemon's own. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Pending {
  readonly token: string;
  readonly settle: PromiseWithResolvers<Reply>;
}

/**
 * A shell that touches paths in the daemon's place: one that hangs on a dead mount can be killed, a
 * thread of the daemon could not. It leads a process group of its own, so its commands die with it.
 */
export class Helper {
  /** Resolves when the shell and every command that it started have gone. */
  readonly closed: Promise<void>;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #host: HelperHost;
  /** With a number after it, it ends each reply: nothing that a command prints can know it. */
  readonly #nonce = randomNonce();
  #requests = 0;
  #pending: Pending | undefined;
  #output = "";
  #dead = false;

  constructor(host: HelperHost) {
    this.#host = host;
    this.#child = spawn("/bin/sh", ["-c", helperScript], {
      cwd: "/",
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
      ...(host.env && { env: host.env }),
    });
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    this.#child.on("error", (cause) => this.#fail(cannotStart(cause)));
    this.#child.on("exit", (exitCode, signal) => this.#fail(ended(exitCode, signal)));
    // Unlike "exit", "close" waits for the commands too: they hold the other end of the pipe.
    this.#child.on("close", () => closed.resolve());
    this.#child.stdin.on("error", () => {}); // "exit" says more
    this.#child.stdout.setEncoding("utf8");
    this.#child.stdout.on("data", (text: string) => this.#read(text));
  }

  /** False once the shell has ended, or could not be started. */
  get alive(): boolean {
    return !this.#dead;
  }

  /**
   * One request at a time; arguments hold no line break (`parseNodePath`).
   * @throws BerthError `failed-precondition` without a shell, `unavailable` when it ends before it answers
   */
  run(verb: Verb, args: readonly string[]): Promise<Reply> {
    assert(this.#pending === undefined, "a helper does one request at a time");
    assert(!args.some((argument) => argument.includes("\n")), "an argument is one line");
    const settle = Promise.withResolvers<Reply>();
    if (this.#dead) settle.reject(ended(null, null));
    else {
      this.#requests += 1;
      this.#pending = { token: `${this.#nonce}.${this.#requests}`, settle };
      this.#child.stdin.write(
        [this.#pending.token, verb, args.length, ...args].map((line) => `${line}\n`).join(""),
      );
    }
    return settle.promise;
  }

  /** Lets it end by itself. */
  end(): void {
    this.#child.stdin.end();
  }

  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      this.#host.killGroup(pid);
    } catch {
      // ESRCH: nobody of the group is left
    }
    this.#child.stdin.destroy();
  }

  #read(text: string): void {
    this.#output += text;
    if (this.#output.length > nodeLimits.replyBytesMax) {
      this.#fail(new BerthError("unavailable", "a helper answered more than it may: see the node's log"));
      this.kill();
      return;
    }
    if (this.#pending === undefined) return;
    const { token, settle } = this.#pending;
    const lastLine = `\n${token} `;
    const end = this.#output.lastIndexOf(lastLine);
    if (end < 0 || !this.#output.endsWith("\n")) return;
    const exitCode = Number(this.#output.slice(end + lastLine.length, -1));
    const output = this.#output.slice(0, end);
    this.#pending = undefined;
    this.#output = "";
    settle.resolve({ exitCode, output });
  }

  #fail(error: BerthError): void {
    this.#dead = true;
    this.#pending?.settle.reject(error);
    this.#pending = undefined;
  }
}

function cannotStart(cause: Error): BerthError {
  return new BerthError("failed-precondition", "this node has no /bin/sh that runs: install a shell", {
    cause,
  });
}

function ended(exitCode: number | null, signal: string | null): BerthError {
  const how = signal === null ? `exit code ${exitCode ?? "unknown"}` : signal;
  return new BerthError("unavailable", `a helper process ended by itself (${how}): retry`, {
    cause: { exitCode, signal },
  });
}
