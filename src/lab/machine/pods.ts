import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../core/errors.ts";
import type { PodRuntime } from "../orchestrator/kubelet.ts";
import type { Pod } from "../orchestrator/objects.ts";
import { Lines } from "./lines.ts";
import type { NodeMachine } from "./node-machine.ts";
import { containerScript, podProgram } from "./pod-script.ts";
import { ended, start } from "./processes.ts";

interface Container {
  readonly process: ChildProcessWithoutNullStreams;
  readonly lines: Lines;
}

/** The pods of one node, each a real process with the volume at /data. */
export class Pods implements PodRuntime {
  readonly #machine: NodeMachine;
  readonly #directory: string;
  readonly #containers = new Map<string, Container>();

  /** @param directory for the containers' roots */
  constructor(machine: NodeMachine, directory: string) {
    this.#machine = machine;
    this.#directory = directory;
  }

  async start(pod: Pod, volumePath: string): Promise<void> {
    const root = join(this.#directory, pod.uid);
    mkdirSync(root, { recursive: true });
    const unshared = ["unshare", "--mount", "--propagation", "private", "--"];
    const script = ["sh", "-c", containerScript, "container", root, volumePath, podProgram];
    const process = await start(...this.#machine.command(...unshared, ...script));
    const complaints: string[] = [];
    process.stderr.setEncoding("utf8").on("data", (text: string) => complaints.push(text));
    const container = { process, lines: new Lines(process.stdout, `pod ${pod.name}`) };
    try {
      await answer(container.lines);
    } catch (reason) {
      const said = complaints.join("").trim();
      throw new BerthError("failed-precondition", `pod ${pod.name} did not start: ${said}`, {
        cause: reason,
      });
    }
    this.#containers.set(pod.uid, container);
  }

  async stop(pod: Pod): Promise<void> {
    const container = this.#containers.get(pod.uid);
    if (container === undefined) return;
    this.#containers.delete(pod.uid);
    container.process.stdin.end();
    await ended(container.process);
  }

  /** Appends a line to /data/log. */
  async write(pod: Pod, text: string): Promise<void> {
    const complaints = await this.#ask(pod, `write ${text}`);
    if (complaints.length > 0) {
      throw new BerthError("failed-precondition", `pod ${pod.name} cannot write: ${complaints.join(" ")}`);
    }
  }

  /** The lines of /data/log; if it cannot be read, what `cat` said. */
  async read(pod: Pod): Promise<string[]> {
    return await this.#ask(pod, "read");
  }

  /** What `df /data` prints in the pod. */
  async df(pod: Pod): Promise<string[]> {
    return await this.#ask(pod, "df");
  }

  /** The pod's own mount table. */
  async mounts(pod: Pod): Promise<string> {
    return (await this.#ask(pod, "mounts")).join("\n");
  }

  async #ask(pod: Pod, command: string): Promise<string[]> {
    const container = this.#containers.get(pod.uid);
    if (container === undefined) throw new BerthError("not-found", `pod ${pod.name} does not run`);
    container.process.stdin.write(`${command}\n`);
    return await answer(container.lines);
  }
}

async function answer(lines: Lines): Promise<string[]> {
  const found: string[] = [];
  for (let line = await lines.next(); line !== "."; line = await lines.next()) found.push(line);
  return found;
}
