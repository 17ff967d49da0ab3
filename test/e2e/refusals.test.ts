/**
 * Servers that refuse, as a user meets them: what `kubectl describe` shows on the claim, or on the pod. Each
 * message has to name the thing, the cause and the remedy on one line that a person can read.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { KernelExport } from "../../src/lab/guest/storage-scripts.ts";
import type { Lab } from "../../src/lab/lab.ts";
import type { LabEvent } from "../../src/lab/orchestrator/events.ts";
import {
  claim,
  deletePods,
  openLab,
  persistentVolume,
  pod,
  startedPod,
  storageClass,
  withExports,
} from "./lab.ts";

const everything = new AsyncDisposableStack();
let lab: Lab;
/** Of both: the export `nas`, and a small file system with a directory that has a quota of its own. */
const open: readonly KernelExport[] = [{ path: "/srv/xfs" }, { path: "/srv/small" }];

before(async () => {
  const fileSystems = [
    { name: "xfs", type: "xfs" },
    { name: "small", type: "ext4", sizeBytes: 2 ** 25 },
  ] as const;
  lab = everything.use(
    await openLab({
      nodes: 1,
      storage: { fileSystems },
      driverConfig: withExports(
        { name: "only42", share: "/srv/small/only42", nfsVersion: "4.2" },
        { name: "limited", share: "/srv/small/limited", uid: 2000, gid: 2000 }, // quotas do not bind root
      ),
      patienceMs: 90_000,
    }),
  );
  await lab.storage.makeLimitedDirectory("small", "limited", 2 ** 20);
  await lab.storage.check(`chown 2000:2000 /srv/small/limited; mkdir -m 777 /srv/xfs/by-hand
    cd /srv/small; mkdir only42 plain secure elsewhere kerberos; mkdir -m 777 limited/mine`);
  lab.apply(storageClass("usable") + claim("usable", "usable"));
  await lab.claim("usable").bound();
});

/** What is tried again in the background after this succeeds, or ends with the lab. */
afterEach(async () => {
  deletePods(lab);
  await lab.storage.setExports(open);
});

after(() => everything.disposeAsync());

const others = (path: string, options: readonly string[]): readonly KernelExport[] => [
  ...open.filter((each) => each.path !== path),
  { path, options },
];

interface Refusal {
  readonly what: string;
  /** What the server's administrator has done. */
  readonly exports?: () => readonly KernelExport[];
  readonly prepare?: () => Promise<void>;
  readonly repair?: () => Promise<void>;
  readonly code: string;
  readonly message: RegExp;
}

/** A message of Berth: short, on one line, without objects or stacks. */
function assertReadable({ message }: LabEvent): void {
  assert.ok(message.length <= 700, `${message.length} characters: ${message}`);
  assert.doesNotMatch(message, /\n|\[object|\{.*:.*\}|\bat \S+:\d+|undefined|null/, message);
}

interface ClaimRefusal extends Refusal {
  readonly parameters?: () => Readonly<Record<string, string>>;
  /** Of the class: they reach Berth as mount flags. */
  readonly mountOptions?: readonly string[];
}

const small = (share: string) => () => ({ server: lab.storage.address, share });
/** As root, whom no quota binds but who may have the last blocks, or as a user. */
const fill = (directory: string, uid: number) => async () => {
  await lab.storage.check(
    `setpriv --reuid=${uid} cat /dev/zero > ${directory}/filler 2>/dev/null || true; sync`,
  );
};
const drain = (directory: string) => async () => {
  await lab.storage.check(`rm ${directory}/filler`);
};
const withoutVersion42 = async () => {
  await lab.storage.stopServer();
  await lab.storage.check("rpc.nfsd --no-nfs-version 4.2 --grace-time 10 --lease-time 10 4");
};
const withVersion42 = async () => {
  await lab.storage.stopServer();
  await lab.storage.check("rpc.nfsd --nfs-version 4.2 --grace-time 10 --lease-time 10 4");
  await lab.storage.endGrace();
};

/**
 * UNAVAILABLE wherever an earlier attempt may have left a volume that cannot be looked for: any other code
 * would let Kubernetes forget it.
 */
const claimRefusals: readonly ClaimRefusal[] = [
  {
    what: "a server that is out of space",
    parameters: small("/srv/small/plain"),
    prepare: fill("/srv/small", 0),
    repair: drain("/srv/small"),
    code: "RESOURCE_EXHAUSTED",
    message: /\/srv\/small.* full: free space or grow it/,
  },
  {
    what: "a directory whose quota is used up",
    parameters: () => ({ export: "limited" }),
    prepare: fill("/srv/small/limited", 2000),
    repair: drain("/srv/small/limited"),
    code: "RESOURCE_EXHAUSTED",
    message: /quota .* is used up: raise it or delete files/,
  },
  {
    what: "a read-only export",
    exports: () => others("/srv/xfs", ["ro"]),
    code: "FAILED_PRECONDITION",
    message: /read-only: export it "rw"/,
  },
  {
    what: "an export with root_squash",
    exports: () => others("/srv/xfs", ["root_squash"]),
    code: "UNAVAILABLE",
    message: /root_squash.*uid and gid in the configuration.*"no_root_squash"/,
  },
  {
    what: "an export that wants a source port below 1024, which the controller may not use",
    exports: () => others("/srv/small", ["secure"]),
    parameters: small("/srv/small/secure"),
    code: "UNAVAILABLE",
    message: /source port below 1024.*"insecure".*CAP_NET_BIND_SERVICE/,
  },
  {
    what: "an export that has become secure under the controller's connection",
    exports: () => others("/srv/xfs", ["secure"]),
    code: "UNAVAILABLE",
    message: /source port below 1024.*"insecure"/,
  },
  {
    what: "an export that does not admit the controller's address",
    exports: () => [{ path: "/srv/small", clients: "192.0.2.1" }],
    parameters: small("/srv/small/elsewhere"),
    code: "UNAVAILABLE",
    message: /does not export this path, or not to this machine's address \([0-9.]+\)/,
  },
  {
    what: "a server whose name does not resolve",
    parameters: () => ({ server: "nas.invalid", share: "/srv/data" }),
    code: "UNAVAILABLE",
    message: /nas\.invalid does not resolve/,
  },
  {
    what: "a server without the version that is asked for",
    parameters: () => ({ export: "only42" }),
    prepare: withoutVersion42,
    repair: withVersion42,
    code: "UNAVAILABLE",
    message: /does not offer NFS 4\.2/,
  },
  {
    what: "an export for Kerberos only",
    exports: () => others("/srv/small", ["sec=krb5"]),
    parameters: small("/srv/small/kerberos"),
    code: "UNAVAILABLE",
    message: /Kerberos.*sec=sys/,
  },
  {
    what: "an option among the class's parameters that no node takes",
    parameters: () => ({ mountOptions: "timeo=600,hrad" }),
    code: "INVALID_ARGUMENT",
    message: /the 2nd of mountOptions of the StorageClass's parameters is none .*: use hard, soft,/,
  },
  {
    what: "a mount option of the class that no node takes",
    mountOptions: ["noatime", "hrad"],
    code: "INVALID_ARGUMENT",
    message: /the 2nd mount flag \(.*mountOptions of the class\) is none .*: use hard, soft,/,
  },
];

for (const [index, refusal] of claimRefusals.entries()) {
  const { what, exports, parameters, mountOptions = [], prepare, repair, code, message } = refusal;
  test(`the claim tells of ${what}`, async () => {
    await prepare?.();
    try {
      if (exports !== undefined) await lab.storage.setExports(exports());
      const name = `refused-${index}`;
      lab.apply(storageClass(name, { parameters: parameters?.() ?? {}, mountOptions }) + claim(name, name));
      const event = await lab.claim(name).warning(/rpc error/);
      assert.equal(event.reason, "ProvisioningFailed");
      assert.match(event.message, new RegExp(`^rpc error: code = ${code} desc = `));
      assert.match(event.message, message);
      lab.delete("PersistentVolumeClaim", name);
    } finally {
      await repair?.();
    }
  });
}

interface PodRefusal extends Refusal {
  /** A volume by hand; the class's volume `usable` unless given. */
  readonly byHand?: () => Readonly<Record<string, string>>;
}

const byHand = (more: Readonly<Record<string, string>>) => () => ({
  ...{ server: lab.storage.address, share: "/srv/xfs", subDir: "by-hand" },
  ...more,
});
const controllerOnly = (): readonly KernelExport[] => [
  { path: "/srv/xfs", clients: lab.site.network?.roomAddress ?? "" },
];

const podRefusals: readonly PodRefusal[] = [
  {
    what: "an export with root_squash",
    exports: () => others("/srv/xfs", ["root_squash"]),
    code: "PERMISSION_DENIED",
    message: /root_squash/,
  },
  {
    what: "an export that does not admit the node's address",
    exports: controllerOnly,
    code: "PERMISSION_DENIED",
    message: /address.*of the node/,
  },
  {
    what: "a server whose name does not resolve",
    byHand: byHand({ server: "nas.invalid" }),
    code: "UNAVAILABLE",
    message: /nas\.invalid does not resolve/,
  },
  {
    what: "a server without the version that is asked for",
    byHand: byHand({ mountOptions: "vers=4.2" }),
    prepare: withoutVersion42,
    repair: withVersion42,
    code: "FAILED_PRECONDITION",
    message: /does not offer NFS 4\.2/,
  },
  {
    what: "an export for Kerberos only",
    exports: () => others("/srv/xfs", ["sec=krb5"]),
    code: "FAILED_PRECONDITION",
    message: /demands Kerberos.*sec=krb5.*mountOptions/,
  },
];

for (const [index, refusal] of podRefusals.entries()) {
  const { what, exports, byHand: attributes, prepare, repair, code, message } = refusal;
  test(`the pod tells of ${what}`, async () => {
    await prepare?.();
    try {
      if (exports !== undefined) await lab.storage.setExports(exports());
      const name = `pod-${index}`;
      if (attributes !== undefined) {
        lab.apply(persistentVolume(name, { handle: name, attributes: attributes() }));
        lab.apply(claim(name, "", { volumeName: name }));
      }
      lab.apply(pod(name, [{ claim: attributes === undefined ? "usable" : name }]));
      const event = await (await lab.pod(name)).warning(/rpc error/);
      assert.equal(event.reason, "FailedMount");
      assert.match(event.message, new RegExp(`rpc error: code = ${code} desc = `));
      assert.match(event.message, message);
    } finally {
      await repair?.();
    }
  });
}

test("a pod that meets its quota, or an export that has become read-only, hears the kernel's own word", async () => {
  const attributes = { ...small("/srv/small/limited")(), subDir: "mine" };
  lab.apply(persistentVolume("mine", { handle: "mine", attributes }));
  lab.apply(claim("mine", "", { volumeName: "mine" }) + pod("mine", [{ claim: "mine" }], { uid: 2000 }));
  const mine = await startedPod(lab, "mine");
  const over = await mine.exec(["dd", "if=/dev/zero", "of=/data/file", "bs=1M", "count=4", "conv=fsync"]);
  assert.match(over.stderr, /Disk quota exceeded/);
  await lab.storage.setExports(others("/srv/small", ["ro"]));
  const readOnly = await mine.exec(["touch", "/data/other"]);
  assert.match(readOnly.stderr, /Read-only file system/);
});

test("no message of all these dumps an object or a stack, or is longer than a person reads (democratic-csi #281 #345 #531)", () => {
  const warnings = lab.events.filter(({ type }) => type === "Warning");
  assert.ok(warnings.length >= claimRefusals.length + podRefusals.length);
  for (const event of warnings) assertReadable(event);
});
