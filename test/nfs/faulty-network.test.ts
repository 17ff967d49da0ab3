import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connectNfs, type NfsClient, NfsError } from "../../src/nfs/index.ts";
import type { FaultPlan } from "./fault-plan.ts";
import { type NetworkProxy, startProxy } from "./faulty-proxy.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

/** Of what a network may lose, but not spoil: enough on any machine. */
const timeoutMs = 120_000;
/** Of what it may spoil: an answer may never come. */
const spoiltMs = 4000;
const operations = 120;

/** What a network does that TCP's checksum does not hide, and what it does not do to bytes. */
const lossy: FaultPlan["rates"] = { delay: 0.1, drop: 0.005, cut: 0.01, split: 0.1, join: 0.1 };
const seeds = [1, 2, 3, 4];

/** Sockets and timers of this process that keep it alive. */
function resources(): readonly string[] {
  return process.getActiveResourcesInfo().filter((each) => /TCP|TLS|Timeout|Immediate/.test(each));
}

for (const version of ["3", "4.1"] as const) {
  describe(`NFS ${version} over a faulty network`, () => {
    let server: Ganesha;
    let proxy: NetworkProxy;
    let client: NfsClient;
    before(async () => {
      server = await startGanesha();
      proxy = await startProxy({ host: server.address, port: server.nfsPort });
      client = await connectNfs({
        host: "127.0.0.1",
        port: proxy.port,
        mountPort: server.mountPort,
        path: "/srv/data",
        versions: [version],
        timeoutMs,
      });
    });
    after(async () => {
      proxy?.setFaults(undefined);
      await client?.close();
      await proxy?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    });

    for (const seed of seeds) {
      test(`each creation happened exactly once, or its error says what is known (seed ${seed})`, async () => {
        const { created, inDoubt } = await createAll({ seed, rates: lossy }, `lossy-${seed}`);
        assert.equal(
          created + inDoubt,
          operations,
          "time was enough, and the network loses but does not lie",
        );
        // Sessions replay what was lost (RFC 8881 §2.10.6); in v3 a repeated creation may stay in doubt.
        if (version === "4.1") assert.equal(inDoubt, 0);
      });

      test(`each removal, rename and link happened once, or its error says what is known (seed ${seed})`, async () => {
        const local = `${server.directory("data")}/changes-${seed}`;
        await mkdir(local);
        const numbers = Array.from({ length: operations / 4 }, (_, index) => index);
        for (const name of ["removed", "renamed", "linked"]) {
          await Promise.all(numbers.map((index) => writeFile(`${local}/${name}-${index}`, "")));
        }
        const directory = (await client.lookup(client.root.handle, `changes-${seed}`)).handle;
        const nodes = await Promise.all(numbers.map((index) => client.lookup(directory, `linked-${index}`)));
        const changes = numbers.flatMap((index) => [
          {
            run: () => client.remove(directory, `removed-${index}`),
            isDone: (there: Set<string>) => !there.has(`removed-${index}`),
          },
          {
            run: () => client.rename(directory, `renamed-${index}`, directory, `new-${index}`),
            isDone: (there: Set<string>) => there.has(`new-${index}`) && !there.has(`renamed-${index}`),
          },
          {
            run: () => client.link(nodes[index]?.handle ?? directory, directory, `link-${index}`),
            isDone: (there: Set<string>) => there.has(`link-${index}`),
          },
        ]);
        proxy.setFaults({ seed, rates: lossy });
        const results = await Promise.allSettled(changes.map(({ run }) => run()));
        proxy.setFaults(undefined);
        const there = new Set(await readdir(local));
        for (const [index, result] of results.entries()) {
          const isDone = changes[index]?.isDone(there);
          if (result.status === "fulfilled") assert.ok(isDone, `change ${index} was lost`);
          else {
            assert.ok(result.reason instanceof NfsError, `${result.reason}`);
            assert.ok(result.reason.outcome !== "not-done" || !isDone, result.reason.message);
            // Sessions replay what was lost (RFC 8881 §2.10.6).
            assert.notEqual(version, "4.1", result.reason.message);
          }
        }
      });

      test(`corrupted and doubled records end in typed errors, in time (seed ${seed})`, async () => {
        const rates = { ...lossy, corrupt: 0.02, duplicate: 0.05 };
        await attemptAll({ seed, rates }, `corrupt-${seed}`, spoiltMs);
        assert.equal((await client.getattr(client.root.handle)).type, "directory");
      });
    }

    test("corrupted record marks end in typed errors, in time, and the next calls are served", async () => {
      await attemptAll({ seed: 5, rates: { "corrupt-mark": 0.02 } }, "marks", spoiltMs);
      assert.ok(proxy.log.some(({ fault }) => fault.kind === "corrupt-mark"));
      // A server that was told of more bytes waits for them: the connection counts as dead after a while.
      const next = await client.getattr(client.root.handle);
      assert.equal(next.type, "directory");
    });

    test("nothing is left: one connection and every slot serve after all of it, and closing leaves none", async () => {
      const calls = client.features.callsInFlightMax * 2;
      await Promise.all(Array.from({ length: calls }, () => client.getattr(client.root.handle)));
      assert.equal(proxy.openConnections, 1);
      await client.close();
      while (proxy.openConnections > 0) await nextTurn();
      await proxy[Symbol.asyncDispose]();
      await nextTurn(); // handles are given up when the turn ends
      assert.deepEqual(resources(), []);
    });

    /** Makes many directories at once while the plan is in force; each must end by its deadline, typed. */
    async function attemptAll(plan: FaultPlan, name: string, endsMs = timeoutMs) {
      await mkdir(`${server.directory("data")}/${name}`);
      const directory = (await client.lookup(client.root.handle, name)).handle;
      const names = Array.from({ length: operations }, (_, index) => `d${index}`);
      proxy.setFaults(plan);
      const make = (each: string) => client.mkdir(directory, each, {}, { timeoutMs: endsMs });
      const results = await Promise.allSettled(names.map(make));
      proxy.setFaults(undefined);
      for (const result of results) {
        if (result.status === "rejected") assert.ok(result.reason instanceof NfsError, `${result.reason}`);
      }
      return { names, results };
    }

    async function createAll(plan: FaultPlan, name: string) {
      const { names, results } = await attemptAll(plan, name);
      const there = new Set(await readdir(`${server.directory("data")}/${name}`));
      for (const [index, result] of results.entries()) {
        const exists = there.has(names[index] ?? "");
        if (result.status === "fulfilled") assert.ok(exists, `${names[index]} was lost`);
        else assert.ok(result.reason.outcome !== "not-done" || !exists, result.reason.message);
      }
      const created = results.filter(({ status }) => status === "fulfilled").length;
      const inDoubt = results.filter(
        (each) => each.status === "rejected" && each.reason.outcome === "unknown",
      );
      return { created, inDoubt: inDoubt.length };
    }
  });
}
