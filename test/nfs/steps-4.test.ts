/** Steps that share a compound of NFS 4.1, of a server that interrupts them anywhere: each is done once, or told apart. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { type ErrorCode, hasCode } from "../../src/core/errors.ts";
import { connectNfs, type NfsClient, type Step } from "../../src/nfs/index.ts";
import { attributes, HostileServer4, operation, sessionOf } from "./hostile-server-4.ts";
import { opaque, word } from "./lying-server.ts";

const status = { noEntry: 2, access: 13, isDirectory: 21, same: 10009 } as const;
const interruptions = { delay: 10008, grace: 10013, tooManyOps: 10070, tooBigToKeep: 10067 } as const;
const unlimited = 0x7fffffff;
const changed = word(0, 0, 0, 0, 0);

const server = new HostileServer4();
await server.listen();
let client: NfsClient | undefined;
beforeEach(async () => {
  await begin(64, 4096);
});
after(async () => {
  await client?.close();
  await server[Symbol.asyncDispose]();
});

/** A new session of a server that takes so much in one compound. */
async function begin(operationsMax: number, cachedBytesMax: number): Promise<void> {
  server.reset();
  server.answer(
    operation.createSession,
    sessionOf(0, unlimited, unlimited, cachedBytesMax, operationsMax, 64),
  );
  server.answer(operation.create, Buffer.concat([changed, word(0)]));
  server.answer(operation.getattr, attributes);
  server.answer(operation.open, Buffer.concat([Buffer.alloc(16), changed, word(0, 0, 0)]));
  server.answer(operation.close, Buffer.alloc(16));
  server.answer(operation.write, word(4, 2, 0, 0));
  server.answer(operation.read, Buffer.concat([word(1), opaque("abcd")]));
  server.answer(operation.link, changed);
  server.answer(operation.remove, changed);
  await client?.close();
  const options = { host: "127.0.0.1", path: "/srv/data", sourcePort: "any", timeoutMs: 5000 } as const;
  client = await connectNfs({ ...options, port: server.port, versions: ["4.1"] });
}

/** Of every kind, in the order in which they do something. */
function allSteps(): Step[] {
  assert.ok(client !== undefined);
  const at = (name: string, ...way: string[]) => ({
    directory: client?.root.handle ?? assert.fail(),
    way,
    name,
  });
  return [
    { kind: "mkdir", at: at("directory"), attributes: {}, path: "step-0" },
    { kind: "create", at: at("file", "way"), attributes: {}, content: Buffer.from("abcd"), path: "step-1" },
    { kind: "link", from: at("file", "way"), to: at("other", "way"), path: "step-2" },
    { kind: "remove", at: at("file", "way"), type: "file", path: "step-3" },
    { kind: "lookup", at: at("directory"), path: "step-4" },
    { kind: "read", at: at("other"), lengthBytes: 16, path: "step-5" },
  ];
}

const changes = ["create", "open", "link", "remove"] as const;

async function run(steps = allSteps()) {
  assert.ok(client !== undefined);
  const counts = () =>
    [operation.sequence, ...changes.map((name) => operation[name])].map((code) => server.count(code));
  const before = counts();
  const outcome = await client.inOrder(steps);
  const [compounds = 0, ...done] = counts().map((count, index) => count - (before[index] ?? 0));
  return { ...outcome, compounds, done };
}

test("all go in one compound, and each gives what it is asked for", async () => {
  const { results, failure, compounds, done } = await run();
  assert.deepEqual([failure, compounds, done], [undefined, 1, [1, 1, 1, 1]]);
  const given = results.map((result) => Object.keys(result).sort());
  const described = ["attributes"];
  assert.deepEqual(given, [described, [], [], [], described, ["attributes", "data", "eof", "handle"]]);
  assert.equal(Buffer.from(results[5]?.data ?? []).toString(), "abcd");
});

test("what a server takes or keeps less of goes in more compounds, each step once", async () => {
  for (const [operationsMax, cachedBytesMax, wanted] of [
    [16, 4096, 3],
    [64, 1024, 3],
    [9, 4096, 5],
  ] as const) {
    await begin(operationsMax, cachedBytesMax);
    const { failure, compounds, done } = await run();
    assert.deepEqual([failure, done], [undefined, [1, 1, 1, 1]]);
    assert.equal(compounds, wanted, `${operationsMax} operations, ${cachedBytesMax} bytes`);
  }
});

test("a step whose way is longer than a compound finds it first", async () => {
  await begin(9, 4096);
  const [step] = allSteps();
  assert.ok(step?.kind === "mkdir");
  const way = Array.from({ length: 20 }, () => "way");
  const { failure, compounds, done } = await run([{ ...step, at: { ...step.at, way } }]);
  assert.deepEqual([failure, done], [undefined, [1, 0, 0, 0]]);
  assert.equal(compounds, 4 + 1);
});

/** Where each step can be interrupted before it has done anything, by the operation that is met there first. */
const beginnings = [
  ["create", [undefined], 1],
  ["link", [], 2],
  ["remove", [], 3],
  ["read", [], 5],
] as const;

for (const [name, met, position] of beginnings) {
  for (const [interruption, code] of Object.entries(interruptions)) {
    test(`${interruption} at ${name} costs another compound, and nothing is done twice`, async () => {
      const own = name === "create" ? operation.lookup : operation[name];
      server.failNext(own, ...(name === "create" ? [] : met), code);
      const { results, failure, compounds, done } = await run();
      assert.equal(failure, undefined, `${String(failure)}`);
      assert.equal(results.length, 6);
      assert.equal(compounds, 2);
      const asked = changes.map((each) => (each === name && name !== "create" ? 2 : 1));
      assert.deepEqual(done, asked, "asked again for the one that it was interrupted at");
    });
  }

  for (const [refusal, told] of [
    ["noEntry", "storage-no-entry"],
    ["access", "storage-access"],
  ] as readonly [keyof typeof status, ErrorCode][]) {
    test(`${refusal} at ${name} ends the list there`, async () => {
      server.failNext(name === "create" ? operation.lookup : operation[name], status[refusal]);
      const { results, failure, compounds, done } = await run();
      assert.deepEqual([results.length, compounds], [position, 1]);
      assert.ok(hasCode(failure, told), `${String(failure)}`);
      assert.match(`${String(failure)}`, new RegExp(`step-${position}`));
      const asked = { create: [1, 0, 0, 0], link: [1, 1, 1, 0], remove: [1, 1, 1, 1], read: [1, 1, 1, 1] };
      assert.deepEqual(done, asked[name]);
    });
  }
}

for (const [interruption, code] of Object.entries({
  ...interruptions,
  "a size that is not the file's": 10027,
})) {
  test(`a file that is there, and not whole for ${interruption}, is written before the next step`, async () => {
    server.failNext(operation.verify, code);
    const writes = server.count(operation.write);
    const { failure, done } = await run();
    assert.deepEqual([failure, done], [undefined, [1, 1, 1, 1]]);
    assert.equal(server.count(operation.write) - writes, 2);
  });
}

test("a file that cannot be written ends the list, and its failure says that something was done", async () => {
  server.failNext(operation.write, 28);
  const { results, failure, done } = await run();
  assert.deepEqual([results.length, done], [1, [1, 1, 0, 0]]);
  assert.ok(hasCode(failure, "storage-no-space"));
  assert.equal(Reflect.get(failure, "outcome"), "done");
});

test("a directory in place of a file is not removed", async () => {
  server.failNext(operation.nverify, status.same);
  const { results, failure, done } = await run();
  assert.deepEqual([results.length, done], [3, [1, 1, 1, 0]]);
  assert.ok(hasCode(failure, "storage-unsupported"), `${String(failure)}`);
});

test("looks that are asked for in one turn go in one compound, and one that fails spoils no other", async () => {
  assert.ok(client !== undefined);
  const [look] = allSteps().slice(4);
  assert.ok(look !== undefined);
  const own = client;
  server.failNext(operation.getattr, undefined, status.noEntry);
  const before = server.count(operation.sequence);
  const outcomes = await Promise.all([0, 1, 2, 3].map(() => own.inOrder([look])));
  assert.deepEqual(
    outcomes.map(({ results, failure }) => [results.length, hasCode(failure, "storage-no-entry")]),
    [
      [1, false],
      [0, true],
      [1, false],
      [1, false],
    ],
  );
  assert.equal(server.count(operation.sequence) - before, 2);
});

test("looks of different callers do not share: each may be given up by itself", async () => {
  assert.ok(client !== undefined);
  const [look] = allSteps().slice(4);
  assert.ok(look !== undefined);
  const own = client;
  const before = server.count(operation.sequence);
  const gone = new AbortController();
  const [one, other] = [own.inOrder([look], { signal: gone.signal }), own.inOrder([look])];
  gone.abort();
  assert.ok(hasCode((await one).failure, "cancelled"));
  assert.equal((await other).failure, undefined);
  assert.ok(server.count(operation.sequence) - before <= 2);
});
