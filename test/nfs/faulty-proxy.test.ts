import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { DelayLine } from "./delay-line.ts";
import { type Fault, faultOf } from "./fault-plan.ts";
import { type ProxyOptions, startProxy } from "./faulty-proxy.ts";

/** A record with one fragment. */
function record(text: string): Buffer {
  const body = Buffer.from(text);
  const mark = Buffer.alloc(4);
  mark.writeUInt32BE((0x80000000 | body.length) >>> 0);
  return Buffer.concat([mark, body]);
}

/** Sends records through a proxy to a server that sends back what it gets, until `enough` bytes or the end. */
async function echoed(records: readonly Buffer[], options: Partial<ProxyOptions>, enough: number) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => {}));
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert(address !== null && typeof address !== "string");
  await using proxy = await startProxy({ host: "127.0.0.1", port: address.port, ...options });
  const client = connect(proxy.port, "127.0.0.1");
  const startedMs = performance.now();
  const received: Buffer[] = [];
  let receivedBytes = 0;
  client.write(Buffer.concat(records));
  await new Promise<void>((resolve) => {
    client.on("error", () => {});
    client.on("close", () => resolve());
    client.on("data", (chunk) => {
      received.push(chunk);
      receivedBytes += chunk.length;
      if (receivedBytes >= enough) resolve();
    });
  });
  const tookMs = performance.now() - startedMs;
  client.destroy();
  for (const socket of sockets) socket.destroy();
  server.close();
  return { bytes: Buffer.concat(received), tookMs, log: proxy.log };
}

const words = ["one", "two", "three", "four"].map(record);
const all = Buffer.concat(words);
const always = (kind: Exclude<Fault["kind"], "pass">) => ({ faults: { seed: 1, rates: { [kind]: 1 } } });

test("the same seed does the same, another seed something else", () => {
  const rates = { delay: 0.2, drop: 0.2, cut: 0.2, corrupt: 0.2 };
  const faults = (seed: number) =>
    Array.from({ length: 100 }, (_, index) =>
      faultOf({ seed, rates }, { connection: index % 3, direction: "to-server", record: index }),
    );
  assert.deepEqual(faults(1), faults(1));
  assert.notDeepEqual(faults(1), faults(2));
});

test("faults come as often as the plan says", () => {
  const plan = { seed: 3, rates: { drop: 0.1, split: 0.3 } };
  const kinds = Array.from(
    { length: 10_000 },
    (_, index) => faultOf(plan, { connection: 0, direction: "to-client", record: index }).kind,
  );
  const share = (kind: string) => kinds.filter((each) => each === kind).length / kinds.length;
  assert(Math.abs(share("drop") - 0.1) < 0.02, `drop: ${share("drop")}`);
  assert(Math.abs(share("split") - 0.3) < 0.02, `split: ${share("split")}`);
  assert(Math.abs(share("pass") - 0.6) < 0.02, `pass: ${share("pass")}`);
});

for (const kind of ["delay", "split", "join"] as const) {
  test(`${kind} changes no byte`, async () => {
    const { bytes, log } = await echoed(words, always(kind), all.length);
    assert.deepEqual(bytes, all);
    assert(log.length > 0 && log.every(({ fault }) => fault.kind === kind));
  });
}

test("without faults and without delay nothing is logged or changed", async () => {
  const { bytes, log } = await echoed(words, {}, all.length);
  assert.deepEqual({ bytes, log }, { bytes: all, log: [] });
});

test("drop ends the connection before the record", async () => {
  assert.equal((await echoed(words, always("drop"), all.length)).bytes.length, 0);
});

test("cut ends the connection within the first record", async () => {
  const { bytes, log } = await echoed(words, always("cut"), all.length);
  assert(bytes.length < record("one").length);
  assert.equal(log[0]?.fault.kind, "cut");
});

test("duplicate sends each record again, in both directions", async () => {
  const fourTimes = Buffer.concat(words.flatMap((each) => [each, each, each, each]));
  assert.deepEqual((await echoed(words, always("duplicate"), fourTimes.length)).bytes, fourTimes);
});

test("corrupt changes a byte of the record and never its mark", async () => {
  const sent = record("a".repeat(1000));
  const { bytes } = await echoed([sent], always("corrupt"), sent.length);
  assert.deepEqual(bytes.subarray(0, 4), sent.subarray(0, 4));
  const changed = sent.filter((byte, index) => byte !== bytes[index]).length;
  assert(changed >= 1 && changed <= 2, `${changed} bytes changed`);
});

test("corrupt-mark changes a byte of the mark and none behind it", async () => {
  const sent = record("a".repeat(1000));
  const received: Buffer[] = [];
  const { promise: whole, resolve } = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => {
    socket
      .on("error", () => {})
      .on("data", (chunk) => {
        received.push(chunk);
        const bytes = Buffer.concat(received);
        if (bytes.length === sent.length) resolve(bytes);
      });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  assert(address !== null && typeof address !== "string");
  const faults = { seed: 2, rates: { "corrupt-mark": 1 } };
  await using proxy = await startProxy({ host: "127.0.0.1", port: address.port, faults });
  const client = connect(proxy.port, "127.0.0.1").on("error", () => {});
  client.write(sent);
  const bytes = await whole;
  client.destroy();
  server.close();
  assert.notDeepEqual(bytes.subarray(0, 4), sent.subarray(0, 4));
  assert.deepEqual(bytes.subarray(4), sent.subarray(4));
});

for (const delayMs of [0.5, 2.4]) {
  test(`a round trip takes ${delayMs} ms more, and no byte changes`, async () => {
    const many = Array.from({ length: 2000 }, (_, index) => record(`${index}`.padEnd(4000)));
    const sent = Buffer.concat(many);
    const { bytes, tookMs } = await echoed(many, { delayMs }, sent.length);
    assert.deepEqual(bytes, sent);
    assert(tookMs >= delayMs, `${tookMs} ms`);
  });
}

test("a delay line gives in order what it took while others were under way", async () => {
  const out: number[] = [];
  const count = 1000;
  const all = Promise.withResolvers<void>();
  const line = new DelayLine(0.5, (chunk) => {
    out.push(chunk.readUInt16BE(0));
    if (out.length === count) all.resolve();
  });
  for (let index = 0; index < count; index++) line.push(Buffer.from([index >> 8, index & 255]));
  assert.deepEqual(out, [], "nothing comes before its time");
  await all.promise;
  assert.deepEqual(
    out,
    Array.from({ length: count }, (_, index) => index),
  );
});
