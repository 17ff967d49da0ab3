import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectNfs, type NfsClient, NfsError, readBlocks, writeBlocks } from "../../src/nfs/index.ts";
import { directoryAttributes, HostileServer, procedure } from "./hostile-server.ts";
import { type Answer, accepted, nonsense, opaque, record, word } from "./lying-server.ts";

const timeoutMs = 1000;
const growthBytesMax = 64 * 1024 * 1024;
const server = new HostileServer();
let client: NfsClient;

before(async () => {
  await server.listen();
  const { port } = server;
  const versions = ["3"] as const;
  client = await connectNfs({
    host: "127.0.0.1",
    port,
    mountPort: port,
    path: "/srv/data",
    versions,
    timeoutMs,
  });
});
after(async () => {
  await client?.close();
  await server[Symbol.asyncDispose]();
});

/** One page of READDIRPLUS (RFC 1813 §3.3.17) that is not the last. */
function page(...entries: readonly Buffer[]): Answer {
  return accepted(word(0, 0, 0, 0), ...entries, word(0, 0));
}

function entry(name: string | Buffer, cookie: number): Buffer {
  return Buffer.concat([word(1, 0, 7), opaque(name), word(0, cookie, 0, 0)]);
}

const lyingName = Buffer.concat([word(1, 0, 7, 0xffffffff), Buffer.from("name"), word(0, 1, 0, 0)]);

async function failsTyped(work: Promise<unknown>): Promise<void> {
  const begunBytes = process.memoryUsage().rss;
  await assert.rejects(work, (reason) => reason instanceof NfsError);
  assert.ok(process.memoryUsage().rss - begunBytes < growthBytesMax);
}

/** The last page, with all that is in it. */
function lastPage(...entries: readonly Buffer[]): Answer {
  return accepted(word(0, 0, 0, 0), ...entries, word(0, 1));
}

/** MSG_DENIED and MSG_ACCEPTED of RFC 5531 §9, behind the xid. */
const rejections = {
  AUTH_TOOWEAK: [
    [1, 1, 1, 5],
    /^127\.0\.0\.1:\/srv\/data: GETATTR failed: the server refused the AUTH_SYS credentials \(too-weak\): the server wants a source port below 1024/,
  ],
  PROG_MISMATCH: [
    [1, 0, 0, 0, 2, 4, 4],
    /^127\.0\.0\.1:\/srv\/data: GETATTR failed: the server does not offer NFS 3: choose another version, or none to take the best that it offers$/,
  ],
  SYSTEM_ERR: [
    [1, 0, 0, 0, 5],
    /^127\.0\.0\.1:\/srv\/data: GETATTR failed: the server had an error of its own \(see its log\)$/,
  ],
} as const;

for (const [name, [words, message]] of Object.entries(rejections)) {
  test(`${name} is told with the server and the operation once, and what helps`, async () => {
    server.answer(procedure.getattr, (xid) => record(word(xid, ...words)));
    try {
      await assert.rejects(client.getattr(client.root.handle), { message });
    } finally {
      server.answer(procedure.getattr, accepted(word(0), directoryAttributes));
    }
  });
}

test("JUKEBOX is waited out, and the call made again", async () => {
  let calls = 0;
  server.answer(procedure.getattr, (xid) => {
    calls++;
    return accepted(...(calls < 3 ? [word(10008)] : [word(0), directoryAttributes]))(xid);
  });
  assert.equal((await client.getattr(client.root.handle, { timeoutMs: 20_000 })).type, "directory");
  assert.equal(calls, 3);
});

/** The lengths that READ and WRITE of a client ask for, where FSINFO names these bounds. */
async function lengthsAsked(readBytesMax: number, writeBytesMax: number) {
  const asked = { read: [] as number[], write: [] as number[] };
  const small = new (class extends HostileServer {
    protected override answerTo(call: Buffer) {
      const number = call.readUInt32BE(20);
      const isNfs = call.readUInt32BE(12) === 100003;
      if (isNfs && number === procedure.read) asked.read.push(call.readUInt32BE(call.length - 4));
      if (isNfs && number === procedure.write) asked.write.push(writtenBytes(call));
      return super.answerTo(call);
    }
  })();
  await using _ = small;
  await small.listen();
  const words = [readBytesMax, readBytesMax, 1, writeBytesMax, writeBytesMax, 1, 512, 0x7fffffff, 0xffffffff];
  small.answer(procedure.fsinfo, accepted(word(0, 0, ...words, 0, 1, 0x1b)));
  const { port } = small;
  const place = { host: "127.0.0.1", port, mountPort: port, path: "/srv/data", timeoutMs };
  const bounded = await connectNfs({ ...place, versions: ["3"] });
  const { handle } = bounded.root;
  small.answer(procedure.read, accepted(word(0, 0, 1000, 0), opaque(Buffer.alloc(1000))));
  small.answer(procedure.write, accepted(word(0, 0, 0), word(500, 0, 1, 1)));
  small.answer(procedure.commit, accepted(word(0, 0, 0), word(1, 1)));
  await readBlocks(bounded, handle, 4000n, () => undefined);
  await writeBlocks(bounded, handle, [Buffer.alloc(2000)]);
  await bounded.close();
  return asked;
}

/** `count` of WRITE3args (RFC 1813 §3.3.7): behind the credential, the verifier, the handle and the offset. */
function writtenBytes(call: Buffer): number {
  const credentialBytes = call.readUInt32BE(28);
  const handleAt = 32 + credentialBytes + 8;
  const handleBytes = call.readUInt32BE(handleAt);
  return call.readUInt32BE(handleAt + 4 + ((handleBytes + 3) & ~3) + 8);
}

test("what FSINFO admits is asked for, and no more", async () => {
  assert.deepEqual(await lengthsAsked(1000, 500), { read: Array(4).fill(1000), write: Array(4).fill(500) });
});

const directories: Readonly<Record<string, Answer>> = {
  "a name that leads out": lastPage(entry("..", 1), entry("../../etc", 2)),
  "a name with a slash": lastPage(entry("a/b", 1)),
  "a name of bytes with a slash": lastPage(entry(Buffer.from([0xff, 0x2f]), 1)),
  "an empty name": lastPage(entry("", 1)),
  "a name with NUL": lastPage(entry("a\0b", 1)),
  "a name of 256 bytes": lastPage(entry("n".repeat(256), 1)),
  "a name that claims 4 GiB": lastPage(lyingName),
  "the same cookie for ever": page(entry("again", 1)),
  "pages without entries for ever": page(),
};

for (const [what, answer] of Object.entries(directories)) {
  test(`a directory with ${what} is a typed error`, async () => {
    server.answer(procedure.readdirplus, answer);
    await failsTyped(Array.fromAsync(client.readdir(client.root.handle)));
  });
}

const replies: Readonly<Record<string, Answer>> = {
  "a handle of 4 KiB": accepted(word(0), opaque(Buffer.alloc(4096)), word(1), directoryAttributes, word(0)),
  "a handle that claims 2 GiB": accepted(word(0, 0x7fffffff)),
  "nothing behind the status": accepted(word(0)),
  "a status that is none": accepted(word(12345)),
  ...nonsense,
};

for (const [what, answer] of Object.entries(replies)) {
  test(`a LOOKUP answered with ${what} is a typed error, and the next call is served`, async () => {
    server.answer(procedure.lookup, answer);
    await failsTyped(client.lookup(client.root.handle, "name"));
    // A client that met nonsense may wait before it connects again.
    const next = await client.getattr(client.root.handle, { timeoutMs: 20_000 });
    assert.equal(next.type, "directory");
  });
}

test("a READ of more than was asked for is a typed error", async () => {
  const much = accepted(word(0, 0, 65536, 1), opaque(Buffer.alloc(65536)));
  server.answer(procedure.read, much);
  await failsTyped(client.read(client.root.handle, 0n, 10));
});
