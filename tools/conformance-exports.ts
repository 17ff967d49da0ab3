/**
 * Runs csi-sanity against the program as it ships, on NFS exports that a real kernel mounts: the driver and
 * csi-sanity are in a guest, the server is Linux's own in another guest, or NFS-Ganesha on this machine.
 */
import { readdir, writeFile } from "node:fs/promises";
import { Guest } from "../src/lab/guest/guest.ts";
import { GuestNetwork } from "../src/lab/guest/network.ts";
import { StorageGuest } from "../src/lab/guest/storage.ts";
import { startGanesha } from "../test/nfs/ganesha.ts";
import { buildTool, flagsOf, judge, logFile, tool } from "./csi-sanity.ts";
import { bundle } from "./driver.ts";

/** One export, in one version. */
interface Target {
  readonly server: string;
  /** Of the configuration: `server`, `share`, `port`, … */
  readonly export: Readonly<Record<string, string | number>>;
  readonly version: "3" | "4.1" | "4.2";
  /** Names at the top of the export. */
  list(): Promise<string[]>;
}

/** A whole run takes about 30 s. */
const runMsMax = 300_000;

process.exitCode = (await main()) ? 0 : 1;

async function main(): Promise<boolean> {
  if (!buildTool()) return false;
  await using network = await GuestNetwork.open();
  const [storage, node] = await Promise.all([
    StorageGuest.boot(network, { fileSystems: [{ name: "xfs", type: "xfs" }] }),
    Guest.boot(network, { name: "node-1", memoryMib: 768 }),
  ]);
  await using _storage = storage;
  await using _node = node;
  await using ganesha = await startGanesha({ address: network.hostAddress });
  const nowhere = "find /srv/xfs -mindepth 1 -maxdepth 1 -not -name .berth";
  const knfsd = (version: Target["version"]): Target => ({
    server: "Linux knfsd on XFS",
    export: { server: storage.address, share: "/srv/xfs" },
    version,
    list: async () => (await storage.check(nowhere)).split("\n").filter(Boolean),
  });
  const user = (version: Target["version"]): Target => ({
    server: "NFS-Ganesha",
    export: {
      server: ganesha.address,
      share: "/srv/data",
      port: ganesha.nfsPort,
      mountPort: ganesha.mountPort,
    },
    version,
    list: async () => (await readdir(ganesha.directory("data"))).filter((name) => name !== ".berth"),
  });
  let good = true;
  for (const target of [knfsd("3"), knfsd("4.1"), knfsd("4.2"), user("3"), user("4.1")]) {
    good = (await check(node, target)) && good;
  }
  return good;
}

async function check(node: Guest, target: Target): Promise<boolean> {
  const mode = `export of ${target.server}, NFS ${target.version}`;
  const result = await node.exec(scriptOf(target), { timeoutMs: runMsMax });
  await writeFile(logFile(mode), `${result.stdout}\n${result.stderr}`);
  const report = await node.exec("cat /tmp/sanity/junit.xml");
  if (report.exitCode !== 0) {
    process.stderr.write(`${mode}: csi-sanity wrote no report:\n${result.stdout}${result.stderr}\n`);
    return false;
  }
  const mounts = (await node.check("grep /tmp/sanity /proc/self/mountinfo || true"))
    .split("\n")
    .filter(Boolean);
  const volumes = await target.list();
  return judge(mode, report.stdout, [
    ...mounts.map((line) => `a mount was left: ${line}`),
    ...volumes.map((path) => `a volume was left: ${path}`),
  ]);
}

/** Driver and judge in the guest; node.js has no root of its own there, so the bundle is given to it. */
function scriptOf(target: Target): string {
  const locks = target.version === "3" ? "mountOptions: nolock\n" : "";
  const access = Object.entries({ ...target.export, nfsVersion: `"${target.version}"` });
  const flags = flagsOf({
    mountDirectory: "/tmp/sanity/kubelet/target",
    stagingDirectory: "/tmp/sanity/kubelet/staging",
    parametersFile: "/tmp/sanity/parameters.yaml",
    reportFile: "/tmp/sanity/junit.xml",
  });
  return `
rm -rf /tmp/sanity
mkdir -p /tmp/sanity/kubelet
cat > /tmp/sanity/berth.yaml <<END
exports:
  - name: sanity
${access.map(([key, value]) => `    ${key}: ${value}`).join("\n")}
END
cat > /tmp/sanity/parameters.yaml <<END
type: export
export: sanity
${locks}END
${process.execPath} ${bundle} all --endpoint unix:///tmp/sanity/csi.sock --config /tmp/sanity/berth.yaml \\
  --node-id sanity-node --kubelet-dir /tmp/sanity/kubelet --log-format text --log-level debug >/tmp/sanity/driver.log 2>&1 &
driver=$!
until [ -S /tmp/sanity/csi.sock ] || ! kill -0 $driver; do sleep 0.1; done
${tool} --csi.endpoint unix:///tmp/sanity/csi.sock ${flags.join(" ")} 2>&1
kill $driver
wait $driver
cat /tmp/sanity/driver.log
`;
}
