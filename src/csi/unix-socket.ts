import { lstat, stat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { BerthError } from "../core/errors.ts";

/** Reading and writing for owner and group: root's sidecars, and nobody else. */
const umaskForMode0660 = 0o117;

/**
 * Listens on a Unix socket of mode 0660. A socket that a dead process left behind is replaced; one
 * that somebody listens on, or a file that is no socket, is not. The socket goes when the server closes.
 * @throws BerthError `failed-precondition`
 */
export async function listenOnUnixSocket(server: Server, path: string): Promise<void> {
  const first = await bind(server, path);
  if (first === "bound") return;
  await removeStaleSocket(path);
  if ((await bind(server, path)) === "in-use") throw inUse(path);
}

async function bind(server: Server, path: string): Promise<"bound" | "in-use"> {
  const { promise, resolve, reject } = Promise.withResolvers<"bound" | "in-use">();
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") resolve("in-use");
    else void whyNot(path, error).then(reject);
  };
  server.once("error", onError);
  // The kernel makes the socket within listen(): it never has another mode, not for a moment.
  const umask = process.umask(umaskForMode0660);
  try {
    server.listen(path, () => resolve("bound"));
  } finally {
    process.umask(umask);
  }
  try {
    return await promise;
  } finally {
    server.off("error", onError);
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path, { bigint: true });
  if (!found.isSocket()) {
    throw cannotListen(path, "is a file that is no socket", "remove it, or name another path");
  }
  if (await isListenedOn(path)) throw inUse(path);
  const now = await lstat(path, { bigint: true });
  // Else another process has been quicker, and the socket is its own.
  if (now.ino === found.ino && now.dev === found.dev) await unlink(path);
}

/** A refused connection is what tells a stale socket. */
async function isListenedOn(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => resolve(true));
  socket.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNREFUSED") resolve(false);
    else if (error.code === "EAGAIN")
      resolve(true); // its queue of connections is full
    else reject(cannotListen(path, `cannot be tried: ${error.code ?? error.message}`, "remove it", error));
  });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

/** libuv says EACCES of a missing directory too. */
async function whyNot(path: string, error: NodeJS.ErrnoException): Promise<BerthError> {
  const directory = dirname(path);
  const found = await stat(directory).catch((reason: NodeJS.ErrnoException) => reason);
  if (!(found instanceof Error)) {
    const cause = `failed with ${error.code ?? error.message}`;
    return cannotListen(path, cause, `this user must be able to write to ${directory}`, error);
  }
  return found.code === "ENOENT"
    ? cannotListen(path, `cannot be made: there is no ${directory}`, "make it, or name another path", error)
    : cannotListen(
        path,
        `cannot be made (${found.code})`,
        `this user must be able to reach ${directory}`,
        error,
      );
}

function inUse(path: string): BerthError {
  return cannotListen(path, "is in use", "another process listens on it; stop it, or name another path");
}

function cannotListen(path: string, cause: string, remedy: string, error?: Error): BerthError {
  return new BerthError("failed-precondition", `socket ${path} ${cause}: ${remedy}`, { cause: error });
}
