import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Identity } from "../src/gen/csi/v1/csi_pb.ts";
import { CsiConnection, requestOf } from "../src/lab/csi-client.ts";
import { flags } from "./bundle.ts";
import { scratchDirectory } from "./scratch.ts";

const startMsMax = 30_000;
const { probe } = Identity.method;

/**
 * Starts the driver, calls it once and ends it: Node.js then writes down what it compiled, and later starts
 * read it (see `loader` in bundle.ts). With the flags that it ships with, or V8 would not take it. What it warns of,
 * such as that who builds it may not mount, matters where it is to run.
 */
export async function warmUp(bundle: string): Promise<void> {
  const directory = scratchDirectory("build");
  const endpoint = `unix://${join(directory, "csi.sock")}`;
  const node = ["--node-id", "build", "--kubelet-dir", directory];
  const child = spawn(
    process.execPath,
    [...flags, bundle, "all", "--endpoint", endpoint, "--log-level", "error", ...node],
    {
      stdio: ["ignore", "ignore", "inherit"],
      timeout: startMsMax,
    },
  );
  const exited = once(child, "exit");
  try {
    await untilReady(endpoint);
    child.kill("SIGTERM");
    await exited;
  } finally {
    child.kill("SIGKILL");
  }
  await letAllRead(join(dirname(bundle), "cache"));
}

async function untilReady(endpoint: string): Promise<void> {
  const deadlineMs = performance.now() + startMsMax;
  for (;;) {
    const connection = new CsiConnection(endpoint);
    const result = await connection.call(probe, requestOf(probe, {}), startMsMax);
    connection.close();
    if (result.status === "ok") return;
    if (performance.now() > deadlineMs) throw new Error(`the program does not start: ${result.message}`);
    await delay(10);
  }
}

/** Node.js writes it for its own user only; the program may be installed for others. */
async function letAllRead(cache: string): Promise<void> {
  for (const entry of await readdir(cache, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o644);
  }
}
