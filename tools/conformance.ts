/**
 * Runs csi-sanity, Kubernetes' own judge of CSI drivers, against the program as it ships: the controller
 * and the node in one process, and in two. Real directories, real mounts, in a sandbox.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Driver } from "./driver.ts";
import { parseJunit, problemsOf, type Spec } from "./junit.ts";
import { sandboxed } from "./sandbox.ts";

const root = join(import.meta.dirname, "..");
const version = "v5.5.0";
const toolDirectory = join(root, ".cache", `csi-sanity-${version}`);
const tool = join(toolDirectory, "csi-sanity");
const skipsFile = join(root, "test", "conformance-skips.txt");

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
async function check(mode: string, directory: string, start: (places: Places) => Target): Promise<boolean> {
  const places = makePlaces(join(directory, mode));
  const target = start(places);
  const log = join(toolDirectory, `${mode}.log`);
  try {
    const failed = target.drivers.map((driver) => driver.failure());
    await Promise.race([runTool(target, places, log), ...failed]);
    await Promise.all(target.drivers.map((driver) => driver.stop()));
  } catch (error) {
    process.stderr.write(`${mode}: ${error instanceof Error ? error.message : error}\n`);
    return false;
  }
  return judge(
    mode,
    parseJunit(readFileSync(places.at("junit.xml"), "utf8")),
    [...leftMounts(directory), ...leftVolumes(places)],
    log,
  );
}

/** Its exit code says less than its report, which is judged instead. */
async function runTool(target: Target, { at }: Places, log: string): Promise<void> {
  const out = openSync(log, "w");
  const flags = [
    ...["--csi.mountdir", at("kubelet", "target"), "--csi.stagingdir", at("kubelet", "staging")],
    ...["--csi.testvolumeparameters", at("parameters.yaml"), "--ginkgo.junit-report", at("junit.xml")],
    ...["--ginkgo.no-color", "--ginkgo.v"],
  ];
  await once(spawn(tool, [...target.flags, ...flags], { stdio: ["ignore", out, out] }), "exit");
  if (!existsSync(at("junit.xml")))
    throw new Error(`csi-sanity wrote no report:\n${readFileSync(log, "utf8")}`);
}

function judge(mode: string, specs: readonly Spec[], left: readonly string[], log: string): boolean {
  const problems = [...problemsOf(specs, allowedSkips()), ...left];
  for (const problem of problems) process.stderr.write(`${mode}: ${problem}\n`);
  if (problems.length > 0) process.stderr.write(`${mode}: csi-sanity's own words are in ${log}\n`);
  const count = (status: string) => specs.filter((spec) => spec.status === status).length;
  const [passed, skipped] = [count("passed"), count("skipped") + count("pending")];
  process.stdout.write(
    `csi-sanity ${version}, controller and node ${mode}: ${passed} passed, ${specs.length - passed - skipped} failed, ` +
      `${skipped} skipped (capabilities that are not offered)\n`,
  );
  return problems.length === 0 && passed > 0;
}

function allowedSkips(): string[] {
  const lines = readFileSync(skipsFile, "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

function leftMounts(directory: string): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return mounts.filter((line) => line.includes(directory)).map((line) => `a mount was left: ${line}`);
}

/** A volume that was created and not deleted, or the other way round. */
function leftVolumes({ at }: Places): string[] {
  const found = execFileSync("find", [
    at("share"),
    "-mindepth",
    "1",
    "-maxdepth",
    "1",
    "-not",
    "-name",
    ".berth",
  ]);
  return found
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((path) => `a volume was left: ${path}`);
}

/** Builds csi-sanity once. @returns false if that cannot be done here */
function buildTool(): boolean {
  if (existsSync(tool)) return true;
  process.stdout.write(`building csi-sanity ${version} ...\n`);
  try {
    execFileSync("go", ["install", `github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity@${version}`], {
      env: { ...process.env, GOBIN: toolDirectory },
      stdio: ["ignore", "inherit", "inherit"],
    });
    return true;
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    process.stderr.write(
      missing
        ? "csi-sanity is a Go program, and there is no `go` here: install Go 1.25 or later (https://go.dev/dl), then try again\n"
        : `csi-sanity ${version} could not be built; the messages of go are above\n`,
    );
    return false;
  }
}
