import { statSync } from "node:fs";

/** What will keep a node plugin from mounting anything, told at its start: it serves, and every pod would wait. */
export function nodeWarnings(kubeletDir: string, uid: number | undefined): string[] {
  const isDirectory = statSync(kubeletDir, { throwIfNoEntry: false })?.isDirectory() === true;
  return [
    ...(uid === 0
      ? []
      : [`runs as uid ${uid}, who may not mount: start it as root, in a privileged container`]),
    ...(isDirectory
      ? []
      : [`there is no directory ${kubeletDir}: give --kubelet-dir the one that kubelet on this node has`]),
  ];
}
