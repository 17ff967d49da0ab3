import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseJunit, problemsOf } from "./junit.ts";

const root = join(import.meta.dirname, "..");
const version = "v5.5.0";
const directory = join(root, ".cache", `csi-sanity-${version}`);
const skipsFile = join(root, "test", "conformance-skips.txt");

/** Kubernetes' own judge of CSI drivers: a program. */
export const tool = join(directory, "csi-sanity");

/** Where csi-sanity's own words of a run are kept. */
export const logFile = (mode: string): string =>
  join(directory, `${mode.replaceAll(/[^a-z0-9.]+/gi, "-")}.log`);

/** What csi-sanity is told of a run, besides its endpoints. */
export interface RunFiles {
  readonly mountDirectory: string;
  readonly stagingDirectory: string;
  /** YAML: the parameters of a StorageClass. */
  readonly parametersFile: string;
  readonly reportFile: string;
}

export function flagsOf({
  mountDirectory,
  stagingDirectory,
  parametersFile,
  reportFile,
}: RunFiles): string[] {
  return [
    ...["--csi.mountdir", mountDirectory, "--csi.stagingdir", stagingDirectory],
    ...["--csi.testvolumeparameters", parametersFile, "--ginkgo.junit-report", reportFile],
    ...["--ginkgo.no-color", "--ginkgo.v"],
  ];
}

/**
 * Says how a run went. csi-sanity's exit code says less than its report, which is judged instead.
 * @param left what should not be there after the run
 * @returns whether all went as it should
 */
export function judge(mode: string, report: string, left: readonly string[]): boolean {
  const specs = parseJunit(report);
  const problems = [...problemsOf(specs, allowedSkips()), ...left];
  for (const problem of problems) process.stderr.write(`${mode}: ${problem}\n`);
  if (problems.length > 0) process.stderr.write(`${mode}: csi-sanity's own words are in ${logFile(mode)}\n`);
  const count = (status: string) => specs.filter((spec) => spec.status === status).length;
  const [passed, skipped] = [count("passed"), count("skipped") + count("pending")];
  process.stdout.write(
    `csi-sanity ${version}, ${mode}: ${passed} passed, ${specs.length - passed - skipped} failed, ` +
      `${skipped} skipped (capabilities that are not offered)\n`,
  );
  return problems.length === 0 && passed > 0;
}

function allowedSkips(): string[] {
  const lines = readFileSync(skipsFile, "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

/** Builds csi-sanity once. @returns false if that cannot be done here */
export function buildTool(): boolean {
  if (existsSync(tool)) return true;
  process.stdout.write(`building csi-sanity ${version} ...\n`);
  try {
    execFileSync("go", ["install", `github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity@${version}`], {
      env: { ...process.env, GOBIN: directory, CGO_ENABLED: "0" },
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
