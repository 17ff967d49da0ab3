import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, tmpdir } from "node:os";
import { scratchDirectory } from "./scratch.ts";

const insideFlag = "--sandbox=";

/**
 * Runs `work` in mount and process namespaces of its own: this program starts itself once more in
 * them. Whatever `work` mounts and starts ends with it, also when it is killed; the temporary
 * directory that it gets is removed with this one. Its result becomes the exit code.
 * @param base where the temporary directory is made
 */
export async function sandboxed(
  name: string,
  work: (directory: string) => Promise<number>,
  base: string = tmpdir(),
): Promise<void> {
  const directory = process.argv.find((word) => word.startsWith(insideFlag))?.slice(insideFlag.length);
  if (directory !== undefined) {
    process.exit(await work(directory));
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write(`${name} mounts, and must run as root: sudo make ${name}\n`);
    process.exit(1);
  }
  process.exitCode = await runAgain(name, base);
}

async function runAgain(name: string, base: string): Promise<number> {
  const directory = scratchDirectory(name, base);
  const [script = "", ...words] = process.argv.slice(1);
  const namespaces = ["--mount", "--propagation", "private", "--pid", "--mount-proc", "--fork"];
  const child = spawn(
    "unshare",
    [...namespaces, "--kill-child", process.execPath, script, ...words, `${insideFlag}${directory}`],
    { stdio: "inherit" },
  );
  let endedBy: "SIGINT" | "SIGTERM" | undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      endedBy = signal;
      child.kill("SIGKILL");
    });
  }
  const [code] = await once(child, "exit");
  return endedBy === undefined ? Number(code ?? 1) : 128 + constants.signals[endedBy];
}
