/**
 * Runs csi-sanity, Kubernetes' own judge of CSI drivers, against the program as it ships, on a directory
 * share: the controller and the node in one process, and in two. Real directories, real mounts, in a sandbox.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildTool, flagsOf, judge, logFile, tool } from "./csi-sanity.ts";
import { Driver } from "./driver.ts";
import { sandboxed } from "./sandbox.ts";

await sandboxed("conformance", async (directory) => {
  if (!buildTool()) return 1;
  const together = await check("together", directory, startTogether);
  const apart = await check("apart", directory, startApart);
  return together && apart ? 0 : 1;
});

/** What csi-sanity is pointed at. */
interface Target {
  readonly drivers: readonly Driver[];
  readonly flags: readonly string[];
}

function startTogether({ at, config, node }: Places): Target {
  const endpoint = `unix://${at("csi.sock")}`;
  const driver = new Driver(["all", "--endpoint", endpoint, ...config, ...node], at("driver.log"));
  return { drivers: [driver], flags: ["--csi.endpoint", endpoint] };
}

function startApart({ at, config, node }: Places): Target {
  const controllerEndpoint = `unix://${at("controller.sock")}`;
  const nodeEndpoint = `unix://${at("node.sock")}`;
  return {
    drivers: [
      new Driver(["controller", "--endpoint", controllerEndpoint, ...config], at("controller.log")),
      new Driver(["node", "--endpoint", nodeEndpoint, ...config, ...node], at("node.log")),
    ],
    flags: ["--csi.endpoint", nodeEndpoint, "--csi.controllerendpoint", controllerEndpoint],
  };
}

/** Where a run keeps its files, and the drivers' flags that say so. */
interface Places {
  at(...names: string[]): string;
  readonly config: readonly string[];
  readonly node: readonly string[];
}

function makePlaces(directory: string): Places {
  const at = (...names: string[]) => join(directory, ...names);
  mkdirSync(at("share"), { recursive: true });
  mkdirSync(at("kubelet"));
  writeFileSync(at("berth.yaml"), `directories:\n  - name: sanity\n    path: ${at("share")}\n`);
  writeFileSync(at("parameters.yaml"), "type: directory\n");
  return {
    at,
    config: ["--config", at("berth.yaml"), "--log-format", "text", "--log-level", "debug"],
    node: ["--node-id", "sanity-node", "--kubelet-dir", at("kubelet")],
  };
}

/** @returns whether all went as it should */
async function check(how: string, directory: string, start: (places: Places) => Target): Promise<boolean> {
  const mode = `directory share, controller and node ${how}`;
  const places = makePlaces(join(directory, how));
  const target = start(places);
  try {
    const failed = target.drivers.map((driver) => driver.failure());
    await Promise.race([runTool(target, places, logFile(mode)), ...failed]);
    await Promise.all(target.drivers.map((driver) => driver.stop()));
  } catch (error) {
    process.stderr.write(`${mode}: ${error instanceof Error ? error.message : error}\n`);
    return false;
  }
  const report = readFileSync(places.at("junit.xml"), "utf8");
  return judge(mode, report, [...leftMounts(directory), ...leftVolumes(places)]);
}

async function runTool(target: Target, { at }: Places, log: string): Promise<void> {
  const out = openSync(log, "w");
  const flags = flagsOf({
    mountDirectory: at("kubelet", "target"),
    stagingDirectory: at("kubelet", "staging"),
    parametersFile: at("parameters.yaml"),
    reportFile: at("junit.xml"),
  });
  await once(spawn(tool, [...target.flags, ...flags], { stdio: ["ignore", out, out] }), "exit");
  if (!existsSync(at("junit.xml")))
    throw new Error(`csi-sanity wrote no report:\n${readFileSync(log, "utf8")}`);
}

function leftMounts(directory: string): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return mounts.filter((line) => line.includes(directory)).map((line) => `a mount was left: ${line}`);
}

/** A volume that was created and not deleted, or the other way round. */
function leftVolumes({ at }: Places): string[] {
  const words = [at("share"), "-mindepth", "1", "-maxdepth", "1", "-not", "-name", ".berth"];
  const found = execFileSync("find", words).toString().split("\n").filter(Boolean);
  return found.map((path) => `a volume was left: ${path}`);
}
