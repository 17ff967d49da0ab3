import { BerthError } from "../../core/errors.ts";

const localCauses: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or directory",
  EEXIST: "something of this name is there already",
  EISDIR: "it is a directory",
  ENOTDIR: "something on the way is no directory",
  EACCES: "this user has no permission",
};

/** For what goes wrong with a path of this machine; the same reason where it is about something else. */
export function asLocalFailure(path: string, reason: unknown): unknown {
  if (!(reason instanceof Error && "syscall" in reason && "code" in reason) || reason instanceof BerthError)
    return reason;
  const code = String(reason.code);
  const cause = localCauses[code];
  const usage = cause === undefined ? "storage-io" : "invalid-argument";
  return new BerthError(usage, `local path ${path}: ${cause ?? reason.message} (${code})`, { cause: reason });
}
