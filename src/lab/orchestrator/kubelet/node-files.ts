import { dirname } from "node:path";
import { BerthError } from "../../../core/errors.ts";
import { type Machine, quoted } from "../../machine/machine.ts";
import { volumeDataPath } from "./kubelet-paths.ts";

/** Kubelet's own doings in its directory; everything below a mount is the driver's. */
export interface NodeFiles {
  /** A directory with all above it, as kubelet makes the staging path and the target's parent; beside `mountPath` a note of what is mounted there. */
  prepare(directory: string, mountPath: string, volumeData: Readonly<Record<string, string>>): Promise<void>;
  /**
   * A mount point that the driver has given up, with what was noted beside it.
   * @throws BerthError `failed-precondition` when it is still mounted: kubelet never deletes through a mount
   */
  removeMountPoint(path: string): Promise<void>;
}

const stillMountedExitCode = 10;
/** Less than people wait for the lab to settle: then it can say what hangs. */
const scriptMsMax = 20_000;

/** One script each: a process costs 20 ms in a guest. */
export function nodeFiles(machine: Pick<Machine, "exec" | "check">): NodeFiles {
  return {
    async prepare(directory, mountPath, volumeData) {
      const data = JSON.stringify(volumeData);
      await machine.check(
        `mkdir -p -m 750 ${quoted(directory)}\necho ${quoted(data)} > ${quoted(volumeDataPath(mountPath))}`,
        { timeoutMs: scriptMsMax },
      );
    },
    async removeMountPoint(path) {
      const script = `
while read -r _ _ _ _ path _; do
  [ "$path" != ${quoted(path)} ] || exit ${stillMountedExitCode}
done < /proc/self/mountinfo
set -e
[ ! -d ${quoted(path)} ] || rmdir ${quoted(path)}
rm -f ${quoted(volumeDataPath(path))}
[ ! -d ${quoted(dirname(path))} ] || rmdir ${quoted(dirname(path))}`;
      const { exitCode, stderr } = await machine.exec(script, { timeoutMs: scriptMsMax });
      if (exitCode === 0) return;
      const cause =
        exitCode === stillMountedExitCode
          ? "is still mounted after the driver said that it had unmounted it: nothing is removed"
          : `cannot be removed: ${stderr.trim()}`;
      throw new BerthError("failed-precondition", `${path} ${cause}`);
    },
  };
}
