import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { type ConnectOptions, connectNfs, type NfsClient, NfsError } from "../../src/nfs/index.ts";
import { type TreeProgress, usageOfTree } from "../../src/nfs/trees/index.ts";
import {
  attributes,
  type Compound,
  exchanged,
  fattr,
  HostileServer4,
  operation,
  result,
  sequenceResult,
  sessionOf,
} from "./hostile-server-4.ts";
import { type Answer, accepted, nonsense, opaque, word } from "./lying-server.ts";

const timeoutMs = 1000;
const growthBytesMax = 64 * 1024 * 1024;
/** How deep a tree that has no end is followed. */
const levels = 5000;
const server = new HostileServer4();
let client: NfsClient;

before(async () => {
  await server.listen();
  client = await connect();
});
afterEach(() => server.reset());
after(async () => {
  await client?.close();
  await server[Symbol.asyncDispose]();
});

async function connect(more: Partial<ConnectOptions> = {}): Promise<NfsClient> {
  const options = { host: "127.0.0.1", path: "/srv/data", sourcePort: "any", timeoutMs } as const;
  return await connectNfs({ ...options, port: server.port, versions: ["4.1"], ...more });
}

async function failsTyped(work: Promise<unknown>): Promise<void> {
  const begunBytes = process.memoryUsage().rss;
  await assert.rejects(work, (reason) => reason instanceof NfsError);
  assert.ok(process.memoryUsage().rss - begunBytes < growthBytesMax);
}

/** A client that met nonsense may wait before it connects again. */
async function servesAgain(): Promise<void> {
  server.reset();
  const next = await client.getattr(client.root.handle, { timeoutMs: 20_000 });
  assert.equal(next.type, "directory");
}

/** READDIR's results behind its verifier (RFC 8881 §18.23.2). */
function entries(eof: number, ...names: readonly (string | Buffer)[]): Buffer {
  const told = names.map((name, index) =>
    Buffer.concat([word(1, 0, 3 + index), opaque(name), fattr([20], word(0, 9))]),
  );
  return Buffer.concat([word(0, 0), ...told, word(0, eof)]);
}

const claimsMuch = (behind: Buffer) => Buffer.concat([word(0, 0, 1, 0, 3), word(0xffffffff), behind]);

const directories: Readonly<Record<string, Buffer>> = {
  "a name that is ..": entries(1, ".."),
  "a name that is .": entries(1, "."),
  "a name with a slash": entries(1, "../../etc"),
  "a name of bytes with a slash": entries(1, Buffer.from([0xff, 0x2f])),
  "an empty name": entries(1, ""),
  "a name with NUL": entries(1, "a\0b"),
  "a name of 256 bytes": entries(1, "n".repeat(256)),
  "a name that claims 4 GiB": claimsMuch(Buffer.from("name")),
  "the same cookie for ever": entries(0, "again"),
  "pages without entries for ever": entries(0),
  "more entries than fit": Buffer.concat([
    word(0, 0),
    ...Array.from({ length: 20_000 }, () => Buffer.concat([word(1, 0, 5), opaque("n"), word(0, 0)])),
  ]),
};

for (const [what, behind] of Object.entries(directories)) {
  test(`a directory with ${what} is a typed error`, async () => {
    server.answer(operation.readdir, behind);
    await failsTyped(Array.fromAsync(client.readdir(client.root.handle)));
    await servesAgain();
  });
}

const results: Readonly<Record<string, readonly [number, Buffer]>> = {
  "a handle of 4 KiB": [operation.getfh, opaque(Buffer.alloc(4096))],
  "a handle that claims 2 GiB": [operation.getfh, word(0x7fffffff)],
  "attributes with 4 billion words of bitmap": [operation.getattr, word(0xffffffff)],
  "attributes that were not asked for": [operation.getattr, fattr([5], word(1))],
  "attributes of another length than they say": [
    operation.getattr,
    fattr([1], word(2, 0, 0)), // type alone is one word
  ],
  "an owner of 1 MiB": [
    operation.getattr,
    fattr([1, 36], Buffer.concat([word(2), opaque(Buffer.alloc(2 ** 20))])),
  ],
  "attributes without a type": [operation.getattr, fattr([20], word(0, 1))],
};

for (const [what, [code, behind]] of Object.entries(results)) {
  test(`a LOOKUP answered with ${what} is a typed error, and the next call is served`, async () => {
    server.answer(code, behind);
    await failsTyped(client.lookup(client.root.handle, "name"));
    await servesAgain();
  });
}

/** A compound with these results behind SEQUENCE's, and these words of its header. */
function compound(header: readonly number[], ...behind: readonly Buffer[]): (call: Compound) => Answer {
  return (call) => accepted(word(...header), sequenceResult(call), ...behind);
}

const found = [result(operation.putfh), result(operation.lookup), result(operation.getfh, opaque("handle"))];

const compounds: Readonly<Record<string, (call: Compound) => Answer>> = {
  "the answer of another slot": ({ slot, sequence }) =>
    accepted(word(0, 0, 5), sequenceResult({ slot: slot + 1, sequence }), ...found),
  "an old sequence number": ({ slot, sequence }) =>
    accepted(word(0, 0, 5), sequenceResult({ slot, sequence: sequence - 1 }), ...found),
  "no SEQUENCE": () => accepted(word(0, 0, 5), ...found),
  "a tag that claims 4 GiB": () => accepted(word(0, 0xffffffff)),
  "4 billion results": compound([0, 0, 0xffffffff], ...found),
  "fewer results than were asked for, and OK": compound([0, 0, 3], ...found),
  "no result, and OK": compound([0, 0, 1]),
  "an error although all went well": compound([5, 0, 5], ...found, result(operation.getattr, attributes)),
  "results in another order": compound(
    [0, 0, 5],
    ...found.toReversed(),
    result(operation.getattr, attributes),
  ),
  "a status that is none": compound([12345, 0, 2], word(operation.putfh, 12345)),
  "BADSESSION for ever": () => accepted(word(10052, 0, 1), word(operation.sequence, 10052)),
  "DEADSESSION for ever": () => accepted(word(10078, 0, 1), word(operation.sequence, 10078)),
  "STALE_CLIENTID for ever": () => accepted(word(10022, 0, 1), word(operation.sequence, 10022)),
  "EXPIRED for ever": compound([10011, 0, 2], word(operation.putfh, 10011)),
  "CONN_NOT_BOUND_TO_SESSION for ever": () => accepted(word(10055, 0, 1), word(operation.sequence, 10055)),
  "SEQ_MISORDERED for ever": () => accepted(word(10063, 0, 1), word(operation.sequence, 10063)),
  "DELAY for ever": () => accepted(word(10008, 0, 1), word(operation.sequence, 10008)),
  "GRACE for ever": compound([10013, 0, 2], word(operation.putfh, 10013)),
};

for (const [what, answer] of Object.entries(compounds)) {
  test(`a compound answered with ${what} is a typed error, and the next call is served`, async () => {
    server.answerAll(answer);
    await failsTyped(client.lookup(client.root.handle, "name"));
    await servesAgain();
  });
}

for (const [what, answer] of Object.entries(nonsense)) {
  test(`a LOOKUP answered with ${what} is a typed error, and the next call is served`, async () => {
    server.answerAll(() => answer);
    await failsTyped(client.lookup(client.root.handle, "name"));
    await servesAgain();
  });
}

test("a READ of more than was asked for is a typed error", async () => {
  server.answer(operation.read, Buffer.concat([word(0), opaque(Buffer.alloc(65_536))]));
  await failsTyped(client.read(client.root.handle, 0n, 10));
});

test("a symbolic link's target of 1 MiB is a typed error", async () => {
  server.answer(operation.readlink, opaque(Buffer.alloc(2 ** 20, "x")));
  await failsTyped(client.readlink(client.root.handle));
});

test("a tree in which every directory holds itself again is measured once, or ends with a typed error", async () => {
  const self = Buffer.concat([
    word(0, 0, 1, 0, 3),
    opaque("self"),
    word(2, (1 << 1) | (1 << 8) | (1 << 19) | (1 << 20), 0),
    opaque(Buffer.concat([word(2, 0, 1, 0, 0), opaque("a handle"), word(0, 2)])),
    word(0, 1),
  ]);
  server.answer(operation.readdir, self);
  const begunBytes = process.memoryUsage().rss;
  const abort = new AbortController();
  // A number of levels, not a time: a faster machine would get deeper, and need more.
  const onProgress = ({ entries }: TreeProgress) => entries >= levels && abort.abort();
  await assert.rejects(usageOfTree(client, client.root, { signal: abort.signal, onProgress }));
  assert.ok(process.memoryUsage().rss - begunBytes < growthBytesMax);
});

const setups: Readonly<Record<string, readonly [number, Buffer]>> = {
  "no slots": [operation.createSession, sessionOf(0, 65_536, 65_536, 4096, 64, 0)],
  "compounds of one operation": [operation.createSession, sessionOf(0, 65_536, 65_536, 4096, 1, 64)],
  "requests of 10 bytes": [operation.createSession, sessionOf(0, 10, 10, 4096, 64, 64)],
  "half a session": [operation.createSession, word(1, 2)],
  "a protection that was not asked for": [operation.exchangeId, word(0, 1, 1, 0x10000, 2)],
  "half a client id": [operation.exchangeId, exchanged.subarray(0, 4)],
};

for (const [what, [code, behind]] of Object.entries(setups)) {
  test(`a server that offers ${what} is a typed error`, async () => {
    server.answer(code, behind);
    await failsTyped(connect());
  });
}

test("4 billion slots, operations and bytes are taken for what we asked for", async () => {
  server.answer(operation.createSession, sessionOf(0, ...Array(5).fill(0xffffffff)));
  server.transferBytesMax = 0xffffffff;
  const { features, close } = await opened();
  assert.ok(features.callsInFlightMax <= 64 && features.readBytesMax <= 2 ** 20);
  await close();
});

test("a lease of 0 or of 136 years, and transfers of 0 bytes, hurt nobody", async () => {
  for (const leaseSeconds of [0, 0xffffffff]) {
    Object.assign(server, { leaseSeconds, transferBytesMax: 0 });
    const { features, close } = await opened();
    assert.ok(features.readBytesMax > 0 && features.writeBytesMax > 0);
    await close();
  }
});

async function opened() {
  const made = await connect();
  return { features: made.features, close: () => made.close() };
}

test("a server that writes less than it is given, and says OK, gives no half file its second name", async () => {
  const stateid = Buffer.alloc(16);
  const changed = word(0, 0, 0, 0, 0);
  server.answer(operation.open, Buffer.concat([stateid, changed, word(0, 0, 0)]));
  server.answer(operation.close, stateid);
  server.answer(operation.write, word(2, 2, 0, 0)); // two bytes, on the disk
  server.answer(operation.link, changed);
  server.failNext(operation.verify, 10027); // NOT_SAME
  const [writes, links] = [server.count(operation.write), server.count(operation.link)];
  const { handle } = client.root;
  const temporary = { directory: handle, way: [], name: "temporary" };
  const { results, failure } = await client.inOrder([
    { kind: "create", at: temporary, attributes: {}, content: Buffer.from("abcd") },
    { kind: "link", from: temporary, to: { directory: handle, way: ["records"], name: "record" } },
  ]);
  assert.deepEqual([results.length, failure], [2, undefined]);
  const done = [server.count(operation.write) - writes, server.count(operation.link) - links];
  assert.deepEqual(done, [1 + 2, 1], "once more from the start, then the name");
});
