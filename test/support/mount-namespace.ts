import { spawnSync } from "node:child_process";

const mark = "BERTH_TEST_MOUNT_NAMESPACE";

/**
 * True in a process whose mounts are its own and end with it. Elsewhere it runs this test file again
 * in such a process, passes its report on, and is false: the caller then has nothing to do.
 *
 *     if (inMountNamespace()) { test("…", …) }
 */
export function inMountNamespace(): boolean {
  if (process.env[mark] === "private") return true;
  const [file = ""] = process.argv.slice(1);
  const { NODE_TEST_CONTEXT: context, ...env } = process.env;
  const child = spawnSync(
    "unshare",
    ["--mount", "--propagation", "private", process.execPath, ...process.execArgv, file],
    {
      stdio: "inherit",
      env: { ...env, ...(context !== undefined && { NODE_TEST_CONTEXT: context }), [mark]: "private" },
    },
  );
  if (child.error !== undefined) throw child.error;
  process.exitCode = child.status ?? 1;
  return false;
}
