import type { Socket } from "node:net";
import { BerthError } from "../../core/errors.ts";

const bytesMax = 64 * 1024;

/** The first line that comes; what comes after it stays in the stream, paused. @throws BerthError `unavailable` when none comes */
export async function firstLine(socket: Socket, peer: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = Buffer.alloc(0);
  const onEnd = () => reject(new BerthError("unavailable", `${peer} has gone before it said anything`));
  const onData = (chunk: Buffer) => {
    said = Buffer.concat([said, chunk]);
    const end = said.indexOf("\n");
    if (end < 0 && said.length < bytesMax) return;
    socket.off("data", onData).off("error", onEnd).off("end", onEnd).pause();
    const rest = said.subarray(end + 1);
    if (rest.length > 0) socket.unshift(rest);
    resolve(said.subarray(0, end).toString());
  };
  socket.on("data", onData).on("error", onEnd).on("end", onEnd);
  return await promise;
}
