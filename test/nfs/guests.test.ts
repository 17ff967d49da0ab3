import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { hasCode } from "../../src/core/errors.ts";
import { Guest } from "../../src/lab/guest/guest.ts";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { check } from "../../src/lab/guest/process.ts";
import { answersNull, rpcReady } from "../../src/lab/guest/rpc-ready.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";

const everything = new AsyncDisposableStack();
let network: GuestNetwork;
let storage: StorageGuest;
let node: Guest;

before(async () => {
  network = everything.use(await GuestNetwork.open());
  const [first, second] = await Promise.all([
    StorageGuest.boot(network),
    Guest.boot(network, { name: "node-1" }),
  ]);
  storage = everything.use(first);
  node = everything.use(second);
});

after(() => everything.disposeAsync());

async function mount(path: string, version: string): Promise<string> {
  const target = `/mnt/${path.replaceAll("/", "-")}-${version}`;
  const options = `vers=${version}${version === "3" ? ",nolock" : ""}`;
  await node.check(`mkdir -p ${target}; mount -t nfs -o ${options} ${storage.address}:${path} ${target}`);
  return target;
}

for (const version of ["3", "4.1", "4.2"]) {
  test(`the kernel's client mounts an export with NFS ${version}, and an independent client reads it`, async () => {
    const target = await mount("/srv/ext4", version);
    await node.check(`echo written with ${version} > ${target}/${version}; umount ${target}`);
    const read = await check(["nfs-cat", `nfs://${storage.address}/srv/ext4/${version}?version=3`]);
    assert.equal(read, `written with ${version}\n`);
  });
}

test("a guest hears every command, also those that come together", async () => {
  for (let round = 0; round < 100; round++) {
    const tables = await Promise.all(Array.from({ length: 16 }, () => node.mountTable()));
    for (const table of tables) assert.match(table, / \/proc /);
  }
});

test("the server clones a file on XFS and on btrfs, and cannot on ext4", async () => {
  const clone = "dd if=/dev/zero of=a bs=1M count=8 conv=fsync 2>/dev/null; cp --reflink=always a b; cmp a b";
  for (const name of ["xfs", "btrfs"]) await node.check(`cd ${await mount(`/srv/${name}`, "4.2")}; ${clone}`);
  const { exitCode } = await node.exec(`set -e; cd ${await mount("/srv/ext4", "4.2")}; ${clone}`);
  assert.notEqual(exitCode, 0);
});

test("a directory holds what it was limited to, and the error is the file system's own", async () => {
  const fill = async (name: string) => {
    await storage.makeLimitedDirectory(name, "limited", 4 * 2 ** 20);
    await storage.check(`chown 1000 /srv/${name}/limited`);
    const directory = `${await mount(`/srv/${name}`, "4.1")}/limited`;
    const write = `cd ${directory}; setpriv --reuid 1000 dd if=/dev/zero of=a bs=1M count=16 conv=fsync`;
    return (await node.exec(write)).stderr;
  };
  assert.match(await fill("xfs"), /No space left on device/);
  assert.match(await fill("ext4"), /Disk quota exceeded/);
  assert.match(await fill("btrfs"), /Disk quota exceeded/);
});

test("an export can be changed while it serves", async () => {
  const url = `nfs://${storage.address}/srv/xfs?version=3`;
  await storage.setExports([{ path: "/srv/xfs", clients: node.address }]);
  await assert.rejects(check(["nfs-ls", url]), /MNT3ERR_ACCES/);
  await storage.setExports([{ path: "/srv/xfs", clients: network.hostAddress }]);
  await check(["nfs-ls", url]);
});

test("what was synced survives the server's loss of power, under the same address", async () => {
  await storage.check("echo kept > /srv/xfs/kept; sync -f /srv/xfs");
  const { address } = storage;
  await storage.crash();
  assert.equal(storage.address, address);
  assert.equal(await check(["nfs-cat", `nfs://${address}/srv/xfs/kept?version=3`]), "kept\n");
});

test("nothing is answered by a guest that is paused or whose cable is pulled", async () => {
  const service = { host: storage.address, port: 2049, program: 100003, version: 4 };
  await storage.guest.pause();
  assert.equal(await answersNull(service), false);
  await storage.guest.resume();
  await rpcReady(service, 60_000);
  await network.setLink(storage.guest.port, "down");
  assert.equal(await answersNull(service), false);
  await network.setLink(storage.guest.port, "up");
  await rpcReady(service, 60_000); // it has much to catch up with
});

test("what a guest writes does not reach the host", async () => {
  await node.check("echo planted > /etc/berth-planted; echo planted > /tmp/berth-planted");
  assert.equal(existsSync("/etc/berth-planted") || existsSync("/tmp/berth-planted"), false);
});

test("a script in a guest gives its output and exit code", async () => {
  const result = await node.exec("cat; echo problem >&2; exit 7", { input: "some\0bytes" });
  assert.deepEqual(result, { exitCode: 7, stdout: "some\0bytes", stderr: "problem\n" });
});

test("a script that takes too long is killed with all that it started", async () => {
  const slow = node.exec("sleep 1000 & sleep 1000", { timeoutMs: 200 });
  await assert.rejects(slow, (reason) => hasCode(reason, "deadline-exceeded"));
  await node.check("while pgrep -x sleep; do :; done"); // killed; the kernel may take a moment
});

test("a guest that powers off ends, and a script in it fails", async () => {
  await using guest = await Guest.boot(network, { name: "short-lived", memoryMib: 128 });
  const running = guest.exec("sleep 1000");
  const failed = assert.rejects(running, (reason) => hasCode(reason, "unavailable"));
  await guest.check("until pgrep -x sleep; do :; done");
  await guest.powerOff();
  await failed;
});

test("a guest ends with the process that booted it, even when that is killed", async (t) => {
  const script = `
    const { GuestNetwork } = await import("../../src/lab/guest/network.ts");
    const { StorageGuest } = await import("../../src/lab/guest/storage.ts");
    const network = await GuestNetwork.open();
    const storage = await StorageGuest.boot(network, { fileSystems: [{ name: "ext4", type: "ext4", sizeBytes: 1e7 }] });
    console.log(storage.address, network.hostAddress);`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: import.meta.dirname,
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => owner.kill("SIGKILL")); // a failure would else wait for it for ever
  const [line] = await once(createInterface(owner.stdout), "line");
  const [address = "", ours = ""] = String(line).split(" ");
  const connection = connect(2049, address);
  await once(connection, "connect");
  connection.destroy();
  assert.ok(isOurs(ours));
  owner.kill("SIGKILL");
  // The network goes when the last process in it has ended.
  while (isOurs(ours)) await nextTurn();
});

function isOurs(address: string): boolean {
  return Object.values(networkInterfaces()).some((each) => each?.some((one) => one.address === address));
}
