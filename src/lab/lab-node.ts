import type { Caller, CallHook } from "./calls.ts";
import { ConnectionPerCall } from "./calls.ts";
import type { RunResult } from "./guest/process.ts";
import type { ExecOptions, JobSignal } from "./machine/machine.ts";
import { type Mount, parseMountTable } from "./machine/mount-table.ts";
import { Pods } from "./machine/pods.ts";
import type { Driver } from "./site/driver.ts";
import type { NodeSite } from "./site/site.ts";

/** A node of the lab, with the node plugin and the pods that run on it. */
export class LabNode {
  readonly name: string;
  readonly kubeletDirectory: string;
  readonly pods: Pods;
  readonly site: NodeSite;
  /** Its node plugin. */
  readonly driver: Driver;
  readonly #hook: CallHook;

  constructor(site: NodeSite, driver: Driver, hook: CallHook) {
    this.name = site.name;
    this.kubeletDirectory = site.kubeletDirectory;
    this.site = site;
    this.driver = driver;
    this.pods = new Pods(() => site.machine);
    this.#hook = hook;
  }

  /** For calls of CSI beside kubelet's, on a connection of their own each. */
  get caller(): Caller {
    return new ConnectionPerCall({ component: this.name, endpoint: this.driver.target, hook: this.#hook });
  }

  /** Runs a shell script on the node, whatever its exit code. */
  async exec(script: string, options?: ExecOptions): Promise<RunResult> {
    return await this.site.machine.exec(script, options);
  }

  /** Runs a shell script that has to succeed; gives its standard output. */
  async check(script: string, options?: ExecOptions): Promise<string> {
    return await this.site.machine.check(script, options);
  }

  /** What is mounted in kubelet's directory, oldest first. */
  async mounts(): Promise<Mount[]> {
    const table = parseMountTable(await this.site.machine.mountTable());
    return table.filter(({ path }) => path.startsWith(`${this.kubeletDirectory}/`));
  }

  /** To the node plugin's process. */
  async signalDriver(name: JobSignal): Promise<void> {
    await this.driver.signal(name);
  }
}
