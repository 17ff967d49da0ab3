import type { VolumeMount } from "../orchestrator/objects.ts";
import { quoted } from "./machine.ts";

/** A volume of a pod, and where kubelet had it mounted. */
export interface PodMount extends VolumeMount {
  readonly source: string;
}

/**
 * Makes a container of the process that runs it: a root of its own on a small tmpfs, the machine's programs
 * in it read-only, the volumes where the pod wants them, and nothing else. The old root is let go, as container
 * runtimes do: what stayed of it would keep the node's mounts alive. Then it waits for its end.
 */
export function containerScript(podUid: string, mounts: readonly PodMount[]): string {
  const inner = `set -e
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1
mount -t tmpfs -o size=1m,mode=755 container "$root"
for directory in /usr /bin /sbin /lib /lib32 /lib64; do
  if [ -L "$directory" ]; then
    cp -P "$directory" "$root$directory"
  elif [ -d "$directory" ]; then
    mkdir "$root$directory"
    mount -o rbind,ro "$directory" "$root$directory"
  fi
done
mkdir "$root/proc" "$root/dev" "$root/tmp"
chmod 1777 "$root/tmp"
mount -o rbind /dev "$root/dev"
${mounts.map(mountScript).join("\n")}
read -r pid _ < /proc/self/stat
mount -t proc proc "$root/proc"
cd "$root"
pivot_root . .
umount -l .
echo "$JOB up $pid" >&3
exec 3>&-
exec sleep infinity`;
  const unshare = "unshare --mount --pid --fork --kill-child --propagation private";
  const root = quoted(`/run/pods/${podUid}`);
  return `mkdir -p ${root}\nexec ${unshare} -- sh -c ${quoted(inner)} container ${root}`;
}

/** A directory of a volume is made when it is not there, as kubelet makes it; it may not lead out of the volume. */
function mountScript({ source, mountPath, subPath, readOnly }: PodMount): string {
  const target = `"$root"${quoted(mountPath)}`;
  const directory = subPath === "" ? quoted(source) : quoted(`${source}/${subPath}`);
  return [
    ...(subPath === ""
      ? []
      : [
          `mkdir -p ${directory}`,
          `[ "$(realpath ${directory})" = "$(realpath ${quoted(source)})/"${quoted(subPath)} ] || { echo 'subPath '${quoted(subPath)}' leads out of the volume' >&2; exit 1; }`,
        ]),
    `mkdir -p ${target}`,
    `mount --bind ${directory} ${target}`,
    ...(readOnly ? [`mount -o remount,bind,ro ${target}`] : []),
  ].join("\n");
}
