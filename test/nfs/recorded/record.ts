/**
 * Writes down what NFS-Ganesha and the kernel's server reply, one of each procedure and operation that we have and some
 * refusals, for the tests beside it (as root):
 *
 *     node test/nfs/recorded/record.ts
 */
import { writeFile } from "node:fs/promises";
import { GuestNetwork } from "../../../src/lab/guest/network.ts";
import { StorageGuest } from "../../../src/lab/guest/storage.ts";
import {
  type ConnectOptions,
  connectNfs,
  listExports,
  type NfsClient,
  type NfsVersion,
} from "../../../src/nfs/index.ts";
import type { Operation } from "../../../src/nfs/v4/operation.ts";
import { Session } from "../../../src/nfs/v4/session.ts";
import { RpcConnection } from "../../../src/rpc/connection.ts";
import { XdrReader } from "../../../src/xdr/xdr-reader.ts";
import { startGanesha } from "../ganesha.ts";
import { asJson, decodeReply, fileOf, type Recorded, recordedName } from "./replies.ts";

let recorded: Recorded[] = [];
let operations: readonly Operation<unknown>[] | undefined;

const callSession = Session.prototype.call;
Session.prototype.call = async function (asked, context) {
  operations = asked;
  const reply = await callSession.call(this, asked, context);
  operations = undefined;
  return reply as Awaited<ReturnType<typeof this.call<typeof asked>>>;
};

const callConnection = RpcConnection.prototype.call;
RpcConnection.prototype.call = async function (request) {
  const asked = operations;
  const reply = await callConnection.call(this, request);
  const bytes = Buffer.from(reply.results.fixedOpaque(reply.results.remainingBytes));
  if (request.program.version === 4) note({ operations: namesOf(request.name, asked) }, bytes);
  else if (request.program.number !== 100000) note({ procedure: request.name }, bytes);
  return { ...reply, results: new XdrReader(bytes) };
};

function namesOf(name: string, asked: readonly Operation<unknown>[] | undefined): readonly string[] {
  return asked === undefined ? [name] : ["SEQUENCE", ...asked.map(recordedName)];
}

function note(what: Pick<Recorded, "procedure" | "operations">, bytes: Buffer): void {
  recorded.push({ ...what, results: bytes.toString("hex"), decoded: asJson(decodeReply(what, bytes)) });
}

/** A little of everything; what a server does not offer is refused, and that is a reply too. */
async function useAll(options: ConnectOptions): Promise<void> {
  await listExports(options).catch(() => {}); // not on every server
  const client = await connectNfs(options);
  try {
    await useFiles(client);
    await useNames(client);
    await useCopies(client);
  } finally {
    await client.close();
  }
}

async function useFiles(client: NfsClient): Promise<void> {
  const { root } = client;
  const attributes = { mode: 0o640, uid: 1000, gid: 1001 };
  const file = await client.create(root.handle, "file", attributes, Buffer.from("content"));
  await client.create(root.handle, "empty", { mode: 0o600 });
  await client.getattr(file.handle);
  await client.access(file.handle, 0x3f);
  const modified = { seconds: 1_000_000_000, nanoseconds: 5 };
  await client.setattr(file.handle, { sizeBytes: 9n, modified, accessed: "now" });
  await client.write(file.handle, 9n, Buffer.from("tail"), "unstable");
  await client.commit(file.handle);
  await client.read(file.handle, 0n, 100);
  await client.fsstat(root.handle);
}

async function useNames(client: NfsClient): Promise<void> {
  const { root } = client;
  const directory = (await client.mkdir(root.handle, "directory", { mode: 0o751 })).handle;
  const file = (await client.lookup(root.handle, "file")).handle;
  await client.link(file, directory, "second");
  const { handle } = await client.symlink(directory, "pointer", "../nowhere", {});
  await client.readlink(handle);
  await client.resolve(root.handle, ["directory", "second"]);
  await Array.fromAsync(client.readdir(directory));
  await Array.fromAsync(client.readdir(root.handle, { detail: "names" }));
  await client.rename(directory, "second", root.handle, "moved");
  await client.remove(root.handle, "moved");
  for (const refused of [
    () => client.rmdir(root.handle, "directory"),
    () => client.lookup(root.handle, "missing"),
    () => client.mkdir(root.handle, "file", {}),
    () => client.readlink(file),
  ]) {
    await refused().catch(() => {}); // its reply is recorded
  }
  await client.removeMany(directory, ["missing", "pointer"]);
  await client.rmdir(root.handle, "directory");
}

async function useCopies(client: NfsClient): Promise<void> {
  const { root } = client;
  const { handle } = await client.lookup(root.handle, "file");
  const target = (await client.create(root.handle, "target", {})).handle;
  const range = { sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n };
  for (const optional of [
    () => client.clone(handle, target, range),
    () => client.copy(handle, target, range),
    () => client.seek(handle, 0n, "data"),
    () => client.seek(handle, 1000n, "data"),
    () => client.setXattr(handle, "note", Buffer.from("value")),
    () => client.listXattrs(handle),
    () => client.getXattr(handle, "note"),
    () => client.getXattr(handle, "missing"),
  ]) {
    await optional().catch(() => {}); // its reply is recorded
  }
}

async function record(name: string, version: NfsVersion, place: Omit<ConnectOptions, "versions">) {
  recorded = [];
  await useAll({ ...place, versions: [version], sourcePort: "any" });
  const lines = recorded.map((each) => JSON.stringify(each));
  await writeFile(fileOf(`${name}-${version}`), `${lines.join("\n")}\n`);
  process.stdout.write(`${name}-${version}: ${recorded.length} replies\n`);
}

for (const version of ["3", "4.1"] as const) {
  await using server = await startGanesha();
  const { address: host, nfsPort: port, mountPort } = server;
  await record("ganesha", version, { host, port, mountPort, path: "/srv/data" });
}

await using network = await GuestNetwork.open();
await using storage = await StorageGuest.boot(network, {
  fileSystems: [{ name: "xfs", type: "xfs" }],
  exports: [{ path: "/srv/xfs" }],
});
for (const version of ["3", "4.2"] as const) {
  await record("knfsd", version, { host: storage.address, mountPort: 20048, path: "/srv/xfs" });
  await storage.check("rm -r /srv/xfs/*");
}
