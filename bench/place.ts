import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, watch, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Identity } from "../src/gen/csi/v1/csi_pb.ts";
import { Driver } from "../tools/driver.ts";
import { callOnce } from "./calls.ts";

const readyMsMax = 10_000;

export type Half = "controller" | "node";

/** A driver that serves, and where. */
export interface Serving {
  readonly driver: Driver;
  readonly endpoint: string;
}

/** Where a benchmark keeps its files: a share, a configuration and a kubelet directory. */
export class Place {
  readonly #directory: string;
  #started = 0;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(this.at("share"));
    mkdirSync(this.at("kubelet"));
    writeFileSync(this.at("berth.yaml"), `directories:\n  - name: bench\n    path: ${this.at("share")}\n`);
  }

  at(...names: string[]): string {
    return join(this.#directory, ...names);
  }

  /** Another place, on a new file system in memory, for as long as the sandbox lives. */
  inMemory(): Place {
    const directory = this.at("memory");
    mkdirSync(directory);
    execFileSync("mount", ["-t", "tmpfs", "berth-bench", directory]);
    return new Place(directory);
  }

  /** Starts one half, as its container would, and waits for the Probe that says it is ready. */
  async serve(half: Half): Promise<Serving> {
    this.#started += 1;
    const socket = this.at(`${half}-${this.#started}.sock`);
    const endpoint = `unix://${socket}`;
    const node = half === "node" ? ["--node-id", "bench-node", "--kubelet-dir", this.at("kubelet")] : [];
    const appeared = fileAppears(socket);
    const driver = new Driver(
      [half, "--endpoint", endpoint, "--config", this.at("berth.yaml"), ...node],
      this.at(`${half}-${this.#started}.log`),
    );
    await Promise.race([appeared, driver.failure()]);
    await untilReady(endpoint);
    return { driver, endpoint };
  }
}

async function fileAppears(path: string): Promise<void> {
  const watcher = watch(dirname(path));
  try {
    while (!existsSync(path)) await once(watcher, "change");
  } finally {
    watcher.close();
  }
}

/** The socket's file is there a moment before it listens: what is refused then is tried again. */
async function untilReady(endpoint: string): Promise<void> {
  const deadlineMs = performance.now() + readyMsMax;
  for (;;) {
    try {
      const { ready } = await callOnce(endpoint, Identity.method.probe, {});
      if (ready !== false) return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await delay(1);
  }
}
