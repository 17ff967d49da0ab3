import assert from "node:assert/strict";
import { test } from "node:test";
import { nfsSource as source } from "../../../test/support/nfs-source.ts";
import { BerthError } from "../../core/errors.ts";
import type { NfsProbe } from "../../share/nfs-probe.ts";
import type { NfsSource } from "../mounts/mount-source.ts";
import { nodeLimits } from "../node-limits.ts";
import { type NfsServers, nfsWish, planNfs } from "./nfs-plan.ts";

/** A server that has the versions, and records what it is asked. */
function serverWith(versions: readonly string[]) {
  const probes: NfsProbe[] = [];
  const nulls: number[] = [];
  const servers: NfsServers = {
    async probe(probe) {
      probes.push(probe);
      const version = probe.versions.find((each) => versions.includes(each));
      assert.ok(version !== undefined);
      return { version, transport: "tcp", fileid: 7n, warning: undefined };
    },
    async callNull({ major }) {
      nulls.push(major);
      if (!versions.some((each) => each.startsWith(`${major}`)))
        throw new BerthError("storage-unsupported", "no");
    },
    async transportOf() {
      return "tcp6";
    },
    async locksWork() {
      return false;
    },
  };
  return { servers, probes, nulls };
}

async function optionsOf(
  change: Partial<NfsSource>,
  mountFlags: string[] = [],
  versions = ["4.2", "4.1", "3"],
) {
  const { servers, ...asked } = serverWith(versions);
  const wish = nfsWish({ ...source, ...change }, { readOnly: false, mountFlags });
  const plan = await planNfs(servers, wish, nodeLimits, new AbortController().signal);
  return { ...asked, options: plan.options, fileid: plan.fileid };
}

test("the defaults wait for the server, share nothing, and pin the version that was found", async () => {
  const { options } = await optionsOf({});
  assert.equal(options, "rw,relatime,hard,nosharecache,proto=tcp,vers=4.2,retry=0");
});

test("the configuration's ports and source port are the kernel's too", async () => {
  const access = {
    ...source.access,
    port: 20490,
    mountPort: 20048,
    sourcePort: "any",
    nfsVersion: "3",
  } as const;
  const { options, probes } = await optionsOf({ access }, ["nolock"]);
  assert.match(options, /port=20490,mountport=20048,noresvport,nolock,vers=3/);
  assert.deepEqual(probes[0]?.versions, ["3"]);
});

test("options that say where to speak to the server hold for the question too", async () => {
  const { probes } = await optionsOf({ mountOptions: "port=111" }, ["port=222", "vers=4"]);
  assert.equal(probes[0]?.port, 222);
  assert.deepEqual(probes[0]?.versions, ["4.2", "4.1"]);
});

test("with Kerberos no more is asked than whether the server is there, first for NFS 4", async () => {
  const { options, nulls, probes, fileid } = await optionsOf({}, ["sec=krb5p,nolock"], ["3"]);
  assert.deepEqual([nulls, probes, fileid], [[4, 3], [], undefined]);
  assert.match(options, /proto=tcp6,sec=krb5p,nolock,vers=3/);
});

test("NFS 3 with locks is refused where rpc.statd does not run, unless locks stay on the node", async () => {
  const refused = { code: "failed-precondition", message: /rpc\.statd/ };
  await assert.rejects(optionsOf({}, ["vers=3"]), refused);
  for (const flag of ["nolock", "local_lock=all"]) await optionsOf({}, ["vers=3", flag]);
});

test("an export over TLS is refused, unless the kernel is to do that", async () => {
  const access = { ...source.access, tls: true };
  await assert.rejects(optionsOf({ access }), { code: "failed-precondition", message: /TLS/ });
  const { options } = await optionsOf({ access }, ["xprtsec=tls"]);
  assert.match(options, /xprtsec=tls/);
});
