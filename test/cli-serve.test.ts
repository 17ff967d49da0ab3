/** `berth controller` and `berth all` as processes: what they say, how they refuse, how they end. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Identity, Node } from "../src/gen/csi/v1/csi_pb.ts";
import { scratchDirectory } from "../tools/scratch.ts";
import { BerthProcess, berth } from "./support/berth-process.ts";
import { creation, mount, rpc } from "./support/edge-controller-harness.ts";
import { EdgeClient } from "./support/edge-harness.ts";
import { HangingMount } from "./support/hanging-mount.ts";
import { inMountNamespace } from "./support/mount-namespace.ts";
import { run } from "./support/node-fixture.ts";

/** A place for one driver: a share, a configuration, a socket, a kubelet's directory. */
class Place implements Disposable {
  readonly root = scratchDirectory("cli");
  readonly socket = join(this.root, "csi.sock");
  readonly endpoint = `unix://${this.socket}`;
  readonly config = join(this.root, "berth.yaml");
  readonly kubelet = join(this.root, "kubelet");
  readonly staging = join(this.kubelet, "globalmount");

  constructor() {
    mkdirSync(join(this.root, "share"));
    mkdirSync(this.kubelet);
    writeFileSync(this.config, `directories:\n  - name: one\n    path: ${this.root}/share\n`);
  }

  get isStaged(): boolean {
    return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${this.staging} `);
  }

  [Symbol.dispose](): void {
    if (this.isStaged) run("umount", this.staging);
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A whole driver in whose hands a volume's mount hangs. */
async function whileItMounts(
  format: "text" | "json",
  work: (
    driver: BerthProcess,
    place: Place,
    mounting: HangingMount,
    staged: Promise<string>,
  ) => Promise<void>,
): Promise<void> {
  using place = new Place();
  using mounting = new HangingMount(join(place.root, "bin"));
  const { endpoint, config, kubelet } = place;
  const words = ["all", "--node-id", "n", "--endpoint", endpoint, "--config", config];
  using driver = new BerthProcess([...words, "--kubelet-dir", kubelet, "--log-format", format], {
    ...process.env,
    PATH: mounting.path,
  });
  await driver.says("listening on");
  const client = new EdgeClient(endpoint);
  try {
    const { response } = await client.call(rpc.createVolume, creation("pvc-1"));
    const volumeId = response?.volume?.volumeId ?? "";
    const request = { volumeId, stagingTargetPath: place.staging, volumeCapability: mount };
    const staged = client
      .call(Node.method.nodeStageVolume, request, { timeoutMs: 60_000 })
      .then(({ code }) => code);
    await mounting.began();
    await work(driver, place, mounting, staged);
  } finally {
    client.close();
  }
}

/** `terminationGracePeriodSeconds` unless a pod says otherwise. */
const graceMs = 30_000;

async function beforeTheKill<T>(work: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const late = setTimeout(graceMs / 2, undefined, { signal: stop.signal }).then(() => {
    throw new Error("half of its grace is over");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    stop.abort();
  }
}

if (inMountNamespace()) {
  describe("berth", { concurrency: 3 }, () => {
    test("version names Berth and Node.js, and exits 0", async () => {
      const { end, stdout, stderr } = await berth("version");
      assert.deepEqual([end, stderr], [0, ""]);
      assert.match(stdout, /^berth \d+\.\d+\.\d+ \(Node\.js \d+\.\d+\.\d+\)\n$/);
      assert.deepEqual(await berth("--version"), { end, stdout, stderr });
    });

    test("with a mistake on its command line exits 2, with one line on standard error", async () => {
      const { end, stdout, stderr } = await berth("controler");
      assert.deepEqual([end, stdout, stderr.split("\n").length], [2, "", 2]);
    });

    test("with a typo in its configuration exits 2, names line and key, and listens on nothing", async () => {
      using place = new Place();
      const { config, endpoint, socket } = place;
      writeFileSync(config, "directories:\n  - name: one\n    path: /srv\n    trashRetension: 1d\n");
      const { end, stdout, stderr } = await berth("controller", "--config", config, "--endpoint", endpoint);
      const message = `${config}:4: directories[0].trashRetension: is no known key: did you mean trashRetention?`;
      assert.deepEqual([end, stdout, stderr], [2, "", `berth: ${message}\n`]);
      assert.equal(existsSync(socket), false);
    });

    for (const { title, endpoint, message } of [
      {
        title: "on an address that is not loopback",
        endpoint: "tcp://0.0.0.0:0",
        message: /^berth: endpoint "tcp:\/\/0\.0\.0\.0:0" is no loopback address: without mutual TLS/,
      },
      {
        title: "on a socket path of 108 bytes",
        endpoint: `unix:///tmp/${"x".repeat(103)}`,
        message: /^berth: endpoint ".*" has a path of 108 bytes, .*: use a shorter path\n$/,
      },
    ]) {
      test(`${title} exits 2 with the reason`, async () => {
        const { end, stdout, stderr } = await berth("controller", "--endpoint", endpoint);
        assert.deepEqual([end, stdout], [2, ""]);
        assert.match(stderr, message);
      });
    }

    test("on a socket in use exits 1 and harms nobody; SIGINT ends the first, which logs in JSON", async () => {
      using place = new Place();
      const { endpoint, socket } = place;
      using first = new BerthProcess(["controller", "--endpoint", endpoint]);
      await first.says("listening on");
      const second = await berth("controller", "--endpoint", endpoint, "--log-level", "error");
      assert.deepEqual(second, {
        end: 1,
        stdout: "",
        stderr: `berth: socket ${socket} is in use: another process listens on it; stop it, or name another path\n`,
      });
      const client = new EdgeClient(endpoint);
      assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
      client.close();
      first.signal("SIGINT");
      const { end, stdout, stderr } = await first.ended;
      assert.deepEqual([end, stdout, existsSync(socket)], [0, "", false]);
      for (const line of stderr.trimEnd().split("\n")) {
        const { level, time, msg }: Record<string, unknown> = JSON.parse(line);
        assert.deepEqual([typeof level, typeof time, typeof msg], ["string", "string", "string"], line);
      }
    });

    test("lets the call in flight end after SIGTERM, takes no other, exits 0; its text is for people", async () => {
      await whileItMounts("text", async (driver, place, mounting, staged) => {
        const { endpoint, socket, staging } = place;
        driver.signal("SIGTERM");
        await driver.says("SIGTERM: letting calls in flight end");
        const late = new EdgeClient(endpoint);
        assert.equal((await late.call(Identity.method.probe, {})).code, "UNAVAILABLE");
        late.close();
        assert.ok(!driver.output.includes("all calls have ended"));
        mounting.letGo();
        assert.equal(await staged, "OK");
        const { end, stdout, stderr } = await driver.ended;
        assert.deepEqual([end, stdout, existsSync(socket)], [0, "", false]);
        assert.match(stderr, /^(\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] (INFO|WARN|ERROR): .*\n)+$/);
        const volumeId = "directory/bind/pvc-1/one";
        assert.ok(stderr.includes(`NodeStageVolume succeeded on volume ${volumeId} to path ${staging}`));
        assert.ok(place.isStaged);
      });
    });

    test("tells the same events in JSON, with what they are about in fields", async () => {
      await whileItMounts("json", async (driver, { staging: path }, mounting, staged) => {
        mounting.letGo();
        assert.equal(await staged, "OK");
        const volumeId = "directory/bind/pvc-1/one";
        const msg = `NodeStageVolume succeeded on volume ${volumeId} to path ${path}`;
        await driver.says(msg);
        const line = driver.output.split("\n").find((text) => text.includes(msg));
        const { time: _, ...event }: Record<string, unknown> = JSON.parse(line ?? "");
        assert.deepEqual(event, { level: "info", msg, rpc: "NodeStageVolume", volumeId, path });
      });
    });

    test("ends before Kubernetes would kill it, with 0, though a server of its configuration is silent", async (t) => {
      using place = new Place();
      const { config, endpoint } = place;
      const server = createServer((socket) => void socket.on("error", () => {}));
      t.after(() => server.close());
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const address = server.address();
      assert.ok(typeof address === "object" && address !== null);
      const nas = `{ name: nas, server: 127.0.0.1, share: /srv, port: ${address.port}, nfsVersion: "4.1" }`;
      writeFileSync(config, `exports:\n  - ${nas}\n`);
      using driver = new BerthProcess(["controller", "--endpoint", endpoint, "--config", config]);
      await Promise.all([driver.says("listening on"), once(server, "connection")]); // the reaper waits for it
      driver.signal("SIGTERM");
      assert.equal((await beforeTheKill(driver.ended)).end, 0);
    });

    test("exits at once at a second signal, with the shell's exit code for it, and nothing mounts later", async () => {
      await whileItMounts("json", async (driver, place, mounting, staged) => {
        driver.signal("SIGTERM");
        await driver.says("SIGTERM: letting calls in flight end");
        driver.signal("SIGINT");
        assert.equal((await driver.ended).end, 130);
        assert.equal(await staged, "UNAVAILABLE");
        await mounting.gone();
        assert.equal(place.isStaged, false);
      });
    });
  });
}
