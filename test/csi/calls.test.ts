/** Calls as clients meet them: what answers, with which status, when it ends, and what the log says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { describe, test } from "node:test";
import type { DescMethod, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import type { ClientUnaryCall } from "@grpc/grpc-js";
import { BerthError } from "../../src/core/errors.ts";
import { csiServices } from "../../src/csi/services.ts";
import {
  Controller,
  file_csi_v1_csi,
  GroupController,
  Identity,
  Node,
  type NodeStageVolumeRequestSchema,
} from "../../src/gen/csi/v1/csi_pb.ts";
import { hanging, ready, startEdge } from "../support/edge-harness.ts";

describe("a service that is not implemented", () => {
  for (const service of file_csi_v1_csi.services) {
    for (const method of service.methods) {
      if (!isUnary(method)) continue;
      test(`answers UNIMPLEMENTED to ${service.name}.${method.name}, by name`, async (t) => {
        const { client } = await startEdge(t, { identity: {} });
        const answer = await client.call(method, {});
        assert.equal(answer.code, "UNIMPLEMENTED");
        assert.ok(answer.response === undefined);
        assert.equal(answer.details, `csi.berth.test does not offer ${method.name}`);
      });
    }
  }
});

describe("an implementation in part", () => {
  test("answers what it has, and UNIMPLEMENTED to the rest", async (t) => {
    const { client } = await startEdge(t, { identity: ready });
    assert.equal((await client.call(Identity.method.probe, {})).response?.ready, true);
    assert.equal((await client.call(Identity.method.getPluginInfo, {})).code, "UNIMPLEMENTED");
    assert.equal(
      (await client.call(GroupController.method.getVolumeGroupSnapshot, {})).code,
      "UNIMPLEMENTED",
    );
  });
});

describe("what a handler throws", () => {
  const secretless = "an unexpected error; the driver's log has the details";

  test("becomes INTERNAL with a short message before the first side effect, and is logged whole", async (t) => {
    const { client, log } = await startEdge(t, {
      identity: {
        async probe() {
          throw new TypeError("undefined is not a share");
        },
      },
    });
    assert.deepEqual(await client.call(Identity.method.probe, {}), { code: "INTERNAL", details: secretless });
    const line = log.lines.at(-1);
    assert.equal(line?.level, "error");
    assert.ok(line.fields["error"] instanceof BerthError);
    assert.ok(line.fields["error"].cause instanceof TypeError);
    assert.match(line.fields["error"].cause.stack ?? "", /csi\/calls\.test\.ts/);
  });

  test("becomes UNAVAILABLE after it", async (t) => {
    const { client } = await startEdge(t, {
      identity: {
        async probe(_request, call) {
          call.effects.begin();
          throw new TypeError("undefined is not a share");
        },
      },
    });
    assert.deepEqual(await client.call(Identity.method.probe, {}), {
      code: "UNAVAILABLE",
      details: secretless,
    });
  });

  test("becomes its own status when it is a BerthError", async (t) => {
    const { client } = await startEdge(t, {
      identity: {
        probe() {
          throw new BerthError("aborted", "creation of größe: still running; retry"); // not even a promise
        },
      },
    });
    assert.deepEqual(await client.call(Identity.method.probe, {}), {
      code: "ABORTED",
      details: "creation of größe: still running; retry",
    });
  });
});

describe("a request that is no message", () => {
  test("is an INVALID_ARGUMENT", async (t) => {
    const { client } = await startEdge(t, { identity: ready });
    const answer = await client.callWithBytes(Identity.method.probe, Buffer.from([0xff, 0xff, 0xff]));
    assert.equal(answer.code, "INVALID_ARGUMENT");
  });

  test("with text that is not UTF-8 is an INVALID_ARGUMENT", async (t) => {
    const { client } = await startEdge(t, {
      identity: ready,
      controller: { deleteVolume: async () => ({}) },
    });
    const answer = await client.callWithBytes(
      Controller.method.deleteVolume,
      Buffer.from([0x0a, 0x02, 0xc3, 0x28]),
    );
    assert.equal(answer.code, "INVALID_ARGUMENT");
  });
});

const timeoutMs = 60_000;

describe("the signal of a call", () => {
  test("fires at the client's deadline", async (t) => {
    const handler = hanging();
    const { client } = await startEdge(t, { identity: handler.implementation });
    // The deadline comes when the handler runs, and not before.
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
    const answer = client.call(Identity.method.probe, {}, { timeoutMs });
    await handler.started;
    t.mock.timers.tick(timeoutMs);
    assert.equal((await answer).code, "DEADLINE_EXCEEDED");
    const reason = await handler.aborted;
    assert.ok(reason instanceof BerthError);
    assert.equal(reason.code, "deadline-exceeded");
  });

  test("fires when the client cancels", async (t) => {
    const handler = hanging();
    const { client } = await startEdge(t, { identity: handler.implementation });
    const answer = client.call(
      Identity.method.probe,
      {},
      { onCall: (call) => void handler.started.then(() => call.cancel()) },
    );
    assert.equal((await answer).code, "CANCELLED");
    const reason = await handler.aborted;
    assert.ok(reason instanceof BerthError);
    assert.equal(reason.code, "cancelled");
  });

  test("does not fire after a call has ended well", async (t) => {
    const seen = Promise.withResolvers<AbortSignal>();
    const { client, server } = await startEdge(t, {
      identity: {
        async probe(_request, call) {
          seen.resolve(call.signal);
          return {};
        },
      },
    });
    await client.call(Identity.method.probe, {});
    await server.drain("test");
    assert.equal((await seen.promise).aborted, false);
  });

  test("fires when the driver shuts down, and the caller is told to come again", async (t) => {
    const handler = hanging();
    const { client, server } = await startEdge(t, { identity: handler.implementation }, { drainMsMax: 20 });
    const answer = client.call(Identity.method.probe, {});
    await handler.started;
    await server.drain("test");
    assert.deepEqual(await answer, {
      code: "UNAVAILABLE",
      details: "the driver is shutting down; retry",
    });
    assert.equal(server.callsInFlight, 0);
  });
});

describe("a drain", () => {
  test("lets a call in flight end, and removes the socket", async (t) => {
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const { client, server, socketPath } = await startEdge(
      t,
      {
        identity: {
          async probe() {
            started.resolve();
            await release.promise;
            return { ready: true };
          },
        },
      },
      { drainMsMax: 10_000 },
    );
    const answer = client.call(Identity.method.probe, {});
    await started.promise;
    const drained = server.drain("test");
    release.resolve();
    assert.equal((await answer).response?.ready, true);
    await drained;
    assert.equal(existsSync(socketPath), false);
  });

  test("ends though a handler never does", async (t) => {
    const started = Promise.withResolvers<void>();
    const { client, server } = await startEdge(
      t,
      {
        identity: {
          async probe() {
            started.resolve();
            return await new Promise<never>(() => {});
          },
        },
      },
      { drainMsMax: 10 },
    );
    const answer = client.call(Identity.method.probe, {});
    await started.promise;
    await server.drain("test");
    assert.notEqual((await answer).code, "OK");
  });

  test("ends though a client keeps a connection that never spoke", async (t) => {
    const { server, socketPath } = await startEdge(t, { identity: ready });
    const silent = connect(socketPath);
    await once(silent, "connect");
    silent.on("error", () => {}).resume();
    await server.drain("test");
    if (!silent.closed) await once(silent, "close");
  });
});

describe("calls in flight", () => {
  test("beyond the bound get UNAVAILABLE, and those below it go on", async (t) => {
    const handler = hanging();
    const { client } = await startEdge(
      t,
      { identity: { ...handler.implementation, getPluginInfo: async () => ({ name: "x" }) } },
      { inFlightMax: 1 },
    );
    const leave = Promise.withResolvers<ClientUnaryCall>();
    const first = client.call(Identity.method.probe, {}, { onCall: leave.resolve });
    await handler.started;
    assert.equal((await client.call(Identity.method.getPluginInfo, {})).code, "UNAVAILABLE");
    (await leave.promise).cancel();
    assert.equal((await first).code, "CANCELLED");
    await handler.aborted;
    assert.equal((await client.call(Identity.method.getPluginInfo, {})).response?.name, "x");
  });
});

describe("the log", () => {
  const secret = "hunter2";
  const flag = "password=swordfish";

  test("has one line for a call, with method, volume, code and time alone", async (t) => {
    const { client, log } = await startEdge(t, {
      identity: ready,
      node: { nodeStageVolume: async () => ({}) },
    });
    log.lines.length = 0;
    const answer = await client.call(Node.method.nodeStageVolume, stageRequest());
    assert.equal(answer.code, "OK");
    assert.equal(log.lines.length, 1);
    const { durationMs, ...fields } = log.lines[0]?.fields ?? {};
    assert.deepEqual(fields, { method: "NodeStageVolume", volumeId: "directory/bind/a/b", code: "OK" });
    assert.equal(typeof durationMs, "number");
  });

  test("never has a secret, a mount flag or a context, however a call ends", async (t) => {
    const { client, log } = await startEdge(t, {
      identity: ready,
      node: {
        async nodeStageVolume({ volumeId }) {
          if (volumeId === "fails") throw new Error("mount failed");
          return {};
        },
      },
    });
    const spoilt = { ...stageRequest(), secrets: { key: `${secret}${"x".repeat(5000)}` } };
    const longFlags = stageRequest(`${flag}${"x".repeat(5000)}`);
    const relative = { ...stageRequest(), stagingTargetPath: "relative" };
    for (const request of [
      stageRequest(),
      { ...stageRequest(), volumeId: "fails" },
      { ...stageRequest(), volumeId: "" },
      spoilt,
      longFlags,
      relative,
    ]) {
      const answer = await client.call(Node.method.nodeStageVolume, request);
      assert.doesNotMatch(JSON.stringify(answer), new RegExp(`${secret}|swordfish|context`));
    }
    assert.ok(log.lines.length >= 6);
    assert.doesNotMatch(log.text, new RegExp(`${secret}|swordfish|a context`));
  });

  function stageRequest(mountFlag = flag): MessageInitShape<typeof NodeStageVolumeRequestSchema> {
    return {
      volumeId: "directory/bind/a/b",
      stagingTargetPath: "/stage",
      volumeCapability: {
        accessType: { case: "mount", value: { mountFlags: [mountFlag] } },
        accessMode: { mode: 1 },
      },
      secrets: { key: secret },
      volumeContext: { key: "a context" },
    };
  }
});

test("every method of CSI has one path", () => {
  const paths = csiServices({ identity: ready }).flatMap(({ methods }) => methods.map(({ path }) => path));
  assert.equal(new Set(paths).size, paths.length);
  assert.ok(paths.includes("/csi.v1.Controller/ControllerGetVolume"));
});

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}
