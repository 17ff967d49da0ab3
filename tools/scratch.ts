/** Directories for tests, benchmarks and builds that are gone with the process, however it ends. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Its standard input ends when this process does, also by SIGKILL. What was mounted below goes first: nothing is
 * removed through a mount that stays. Programs that end a moment after us may still write, hence the rounds.
 */
const keeper = `
cat
below() { grep -F " $1/" /proc/self/mountinfo | cut -d' ' -f5; }
below "$1" | sort -r | while IFS= read -r mount; do umount -l -- "$(printf "$mount")"; done
round=0
while [ -z "$(below "$1")" ] && ! rm -rf --one-file-system -- "$1" && [ "$round" -lt 100 ]; do
  sleep 0.1
  round=$((round + 1))
done`;

const roots = new Map<string, string>();

/**
 * Makes a directory. All of one process lie in one, which a small program in a session of its own removes: neither
 * Ctrl-C nor the kill of a process group reaches that. Whoever is done earlier may remove what it has got itself.
 * @param base where the one directory is made
 */
export function scratchDirectory(name: string, base: string = tmpdir()): string {
  return mkdtempSync(join(rootIn(base), `${name}-`));
}

function rootIn(base: string): string {
  const known = roots.get(base);
  if (known !== undefined) return known;
  mkdirSync(base, { recursive: true });
  const root = mkdtempSync(join(base, "berth-scratch-"));
  chmodSync(root, 0o755); // what lies in it is opened to other users, or not, one by one
  roots.set(base, root);
  keep(root);
  return root;
}

function keep(root: string): void {
  const child = spawn("sh", ["-c", keeper, "keeper", root], {
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
    detached: true,
  });
  child.once("error", (cause) => {
    throw new Error(`nobody would remove ${root}: sh does not start`, { cause });
  });
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
}
