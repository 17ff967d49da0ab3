import { BerthError } from "../../core/errors.ts";
import { nodeLimits } from "../node-limits.ts";

/** What a helper says beyond the codes of mount(8), umount(8) and the shell (126 and 127). */
export const exitCodes = {
  noRecord: 100,
  notTheDirectory: 101,
  notADirectory: 102,
  noParent: 103,
  notEmpty: 104,
  notMeasured: 105,
  notThere: 106,
  anotherDirectory: 107,
} as const;

/**
 * What a helper can do, and with which arguments:
 * - `resolve <path>…`: each path on a line, without symbolic links; what does not exist stays as it is
 * - `stage <record> <directory> <parent> <name> <flags>`: mounts a volume's directory at `<parent>/<name>`
 * - `publish <staging path> <parent> <name> <flags>`
 * - `mount_nfs <source> <options> <parent> <name> <fileid>`: by the kernel's client, at `<parent>/<name>`; what it has
 *   then mounted must have the inode number, unless that is empty
 * - `look <path>`: the inode number of a mounted directory, as its server has it now, and when it changed
 * - `unmount <path>`, `force <path>`, `detach <path>`: umount plain, by force, lazily
 * - `exists <path>`
 * - `remove <path>`: an empty directory; none there is fine
 * - `measure <directory>`: bytes, files, and what its file system has, a line each
 * - `record <directory>`: what the record of a volume says
 */
export type Verb =
  | "resolve"
  | "stage"
  | "mount_nfs"
  | "look"
  | "publish"
  | "unmount"
  | "force"
  | "detach"
  | "exists"
  | "remove"
  | "measure"
  | "record";

/**
 * A helper's whole program. It does one request after another: a token, a verb, the number of
 * arguments and each argument, a line each. It answers with whatever its commands print, and a line
 * of the token and the exit code. Paths only ever arrive as data; builtins do what they can, because a
 * process costs more than all the rest. It ends with its input, so it never outlives the daemon.
 */
export const helperScript = `
umask 027
export LC_ALL=C

resolve() {
  for path in "$@"; do
    rest=
    until cd -P -- "\${path:-/}" 2>/dev/null; do
      rest="/\${path##*/}$rest"
      path="\${path%/*}"
    done
    printf '%s\\n' "\${PWD%/}$rest"
  done
}

prepare() {
  if [ -L "$1/$2" ] || { [ -e "$1/$2" ] && ! [ -d "$1/$2" ]; }; then return ${exitCodes.notADirectory}; fi
  [ -d "$1" ] || mkdir -p -- "$1" || return ${exitCodes.noParent}
  cd -P -- "$1/" && [ "$PWD" = "$1" ] || return ${exitCodes.noParent}
  cd /
}

bind_at() {
  prepare "$2" "$3" || return
  mount -n -i -o "bind,X-mount.mkdir=0750,$4" -- "$1" "$2/$3"
}

stage() {
  [ -f "$1" ] || return ${exitCodes.noRecord}
  cd -P -- "$2/" 2>/dev/null && [ "$PWD" = "$2" ] || return ${exitCodes.notTheDirectory}
  bind_at "$2" "$3" "$4" "$5"
}

mount_nfs() {
  prepare "$3" "$4" || return
  [ -d "$3/$4" ] || mkdir -m 0750 -- "$3/$4" || return ${exitCodes.noParent}
  mount -n -t nfs -o "$2" -- "$1" "$3/$4" || return
  [ -n "$5" ] || return 0
  found=$(look "$3/$4") || return
  [ "\${found%% *}" = "$5" ] || return ${exitCodes.anotherDirectory}
}

# Not "$1/.": a root that the server squashes may not search a directory that is closed to others.
# The time is for the kernel, which answers from its memory when asked for the inode number alone.
look() { stat --cached=never -c '%i %Z' -- "$1" 2>/dev/null || stat -c '%i %Z' -- "$1"; }

publish() {
  [ -d "$1/." ] || look "$1" >/dev/null 2>&1 || { printf 'Stale file handle\n'; return ${exitCodes.notTheDirectory}; }
  bind_at "$@"
}

unmount() { umount -n -i -c -- "$1"; }

force() { umount -n -i -c -f -- "$1"; }

detach() { umount -n -i -c -l -- "$1"; }

exists() { [ -L "$1" ] || [ -e "$1" ] || return ${exitCodes.notThere}; }

remove() {
  [ -L "$1" ] && return ${exitCodes.notADirectory}
  [ -e "$1" ] || return 0
  [ -d "$1" ] || return ${exitCodes.notADirectory}
  rmdir -- "$1" || return ${exitCodes.notEmpty}
}

measure() {
  cd -P -- "$1/" || return ${exitCodes.notMeasured}
  du -s -x -B 1 . 2>/dev/null
  du -s -x --inodes . 2>/dev/null
  stat -f -c '%S %a %c %d' . || return ${exitCodes.notMeasured}
}

record() {
  [ -f "$1/identity.json" ] || return ${exitCodes.noRecord}
  cat -- "$1"/identity.json "$1"/size-*.json 2>/dev/null
  return 0
}

while IFS= read -r token && IFS= read -r verb && IFS= read -r count; do
  set --
  while [ "$#" -lt "$count" ]; do
    IFS= read -r argument || exit 0
    set -- "$@" "$argument"
  done
  "$verb" "$@" </dev/null 2>&1
  printf '\\n%s %s\\n' "$token" "$?"
  cd /
done
`;

export interface Reply {
  readonly exitCode: number;
  /** What its commands printed, on both streams. */
  readonly output: string;
}

/** A step that a helper could not do. What it was given (paths, mount flags) is not repeated. */
export function stepError(verb: Verb, reply: Reply, subject: string): BerthError {
  const said = quote(reply.output);
  const cause = { verb, ...reply };
  switch (reply.exitCode) {
    case 126:
    case 127:
      return new BerthError(
        "failed-precondition",
        `${subject}: a command is missing on this node (${said}): install util-linux and coreutils`,
        { cause },
      );
    case exitCodes.notADirectory:
      return new BerthError(
        "failed-precondition",
        `${subject}: there is something that is not a directory: remove the file or symbolic link`,
        { cause },
      );
    case exitCodes.noParent:
      return new BerthError(
        "failed-precondition",
        `${subject}: its parent directory cannot be made (${said}): make every component a writable directory`,
        { cause },
      );
    case exitCodes.notEmpty:
      return new BerthError(
        "failed-precondition",
        `${subject} cannot be removed (${said}): look what lies in it, and empty it by hand`,
        { cause },
      );
    default:
      return new BerthError(
        "unavailable",
        `${subject}: ${verb} failed with exit code ${reply.exitCode} (${said}): see the node's kernel log; Kubernetes tries again`,
        { cause },
      );
  }
}

function quote(output: string): string {
  const text = output
    .trim()
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\p{Cc}/gu, "?");
  return text === "" ? "it said nothing" : text.slice(0, nodeLimits.quotedBytesMax);
}
