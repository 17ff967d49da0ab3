/**
 * An NFS 3, 4.1 and 4.2 client in user space: `berth/nfs`.
 *
 *     const client = await connectNfs({ host: "nas", path: "/srv/data" });
 *     for await (const page of client.readdir(client.root.handle)) console.log(page.entries);
 *     await client.close();
 */
export type { Credentials } from "../rpc/auth-sys.ts";
export type { TlsOptions } from "../rpc/socket.ts";
export type { SourcePort } from "../rpc/source-port.ts";
export * from "./client.ts";
export { connectNfs } from "./connect.ts";
export type { ConnectOptions, NfsVersion } from "./connect-options.ts";
export { explainRefusal, listExports } from "./exports.ts";
export type * from "./file.ts";
export { type Diagnosis, NfsError, type NfsErrorFields, type Outcome } from "./nfs-error.ts";
export { readAhead } from "./read-ahead.ts";
export { readBlocks } from "./read-blocks.ts";
export type { TakePiece } from "./read-range.ts";
export { replaceFile } from "./replace-file.ts";
export type * from "./steps.ts";
export type { ExportedPath } from "./v3/export.ts";
export { RestartedServer, type WriteOptions, writeBlocks } from "./write-blocks.ts";
