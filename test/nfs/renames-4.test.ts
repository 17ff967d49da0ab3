/** Many renames in compounds of NFS 4.1, of a server that interrupts them anywhere: each is done once, or told apart. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { type ErrorCode, hasCode } from "../../src/core/errors.ts";
import { connectNfs, type NfsClient, type Renaming } from "../../src/nfs/index.ts";
import { HostileServer4, operation, sessionOf } from "./hostile-server-4.ts";
import { word } from "./lying-server.ts";

const status = { noEntry: 2, access: 13, stale: 70, delay: 10008, grace: 10013, tooManyOps: 10070 } as const;
const unlimited = 0x7fffffff;
const operationsMax = 16;
const changed = word(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

const server = new HostileServer4();
await server.listen();
let client: NfsClient | undefined;
beforeEach(async () => {
  server.reset();
  server.answer(operation.createSession, sessionOf(0, unlimited, unlimited, 4096, operationsMax, 64));
  server.answer(operation.rename, changed);
  await client?.close();
  const options = { host: "127.0.0.1", path: "/srv/data", sourcePort: "any", timeoutMs: 5000 } as const;
  client = await connectNfs({ ...options, port: server.port, versions: ["4.1"] });
});
after(async () => {
  await client?.close();
  await server[Symbol.asyncDispose]();
});

/** Renames with ways of these lengths to their new directories. */
async function renameAll(...lengths: readonly number[]) {
  assert.ok(client !== undefined);
  const { handle: directory } = client.root;
  const renamings = lengths.map((length, index): Renaming => {
    const way = Array.from({ length }, () => "way");
    return {
      from: { directory, way: [], name: "a" },
      to: { directory, way, name: "b" },
      path: `path-${index}`,
    };
  });
  const counts = () => [operation.sequence, operation.rename].map((code) => server.count(code));
  const before = counts();
  const failures = await client.renameMany(renamings);
  const [compounds = 0, renames = 0] = counts().map((count, index) => count - (before[index] ?? 0));
  return { failures, compounds, renames };
}

test("as many go together as the server takes operations", async () => {
  const { failures, compounds, renames } = await renameAll(2, 2, 2, 2, 2);
  assert.deepEqual([failures.size, compounds, renames], [0, 3, 5], "6 operations each, 15 beside SEQUENCE");
});

test("one whose way is longer than a compound finds it first, and goes with the others", async () => {
  const { failures, compounds, renames } = await renameAll(0, 20, 0);
  assert.deepEqual([failures.size, renames], [0, 3]);
  assert.equal(compounds, 2 + 1, "the directory in two steps, and all renames");
});

for (const [what, code] of [
  ["the way to", operation.lookup],
  ["the directory of", operation.savefh],
  ["the rename itself of", operation.rename],
] as const) {
  for (const interruption of ["delay", "grace", "tooManyOps"] as const) {
    test(`${interruption} at ${what} one behind another costs another compound, and none fails or is done twice`, async () => {
      const ofFirst = code === operation.lookup ? [] : [undefined]; // its way has no names
      server.failNext(code, ...ofFirst, status[interruption]);
      const { failures, renames } = await renameAll(0, 3, 1);
      assert.deepEqual([...failures.keys()], []);
      assert.equal(renames, code === operation.rename ? 4 : 3);
    });
  }

  for (const [refusal, told] of [
    ["noEntry", "storage-no-entry"],
    ["access", "storage-access"],
    ["stale", "storage-stale"],
  ] as readonly [keyof typeof status, ErrorCode][]) {
    test(`${refusal} at ${what} one in the middle is that one's failure, and the others are done`, async () => {
      const ofFirst = code === operation.lookup ? [] : [undefined];
      server.failNext(code, ...ofFirst, status[refusal]);
      const { failures, renames } = await renameAll(0, 3, 1);
      assert.deepEqual([...failures.keys()], [1]);
      assert.ok(hasCode(failures.get(1), told), `${failures.get(1)}`);
      assert.match(`${failures.get(1)}`, /path-1/);
      assert.equal(renames, code === operation.rename ? 3 : 2);
    });
  }
}
