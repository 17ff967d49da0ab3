/** One grammar of mount options, wherever they are asked for: what a node would refuse is refused at creation. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseConfig } from "../../src/cli/config/config.ts";
import { VolumeCapability_AccessMode_Mode as Mode } from "../../src/gen/csi/v1/csi_pb.ts";
import { nfsWish } from "../../src/node/nfs/nfs-plan.ts";
import { creation, rpc } from "../support/edge-controller-harness.ts";
import { capability, outcomeOf } from "../support/edge-node-harness.ts";
import { nfsSource as source } from "../support/nfs-source.ts";
import {
  createVolume,
  deleteVolume,
  type ExportSite,
  type MadeVolume,
  openExportSite,
} from "./export-site.ts";

const good = [
  "",
  "hard",
  "hard,noatime",
  "hard, timeo=600 ,retrans=2,",
  "vers=3,nolock,mountport=20048",
  "nfsvers=4.1",
  "v4.2,tcp,nconnect=4",
  "ro,noexec,nosuid,nodev",
  "rw,ro",
  "noauto,_netdev,nofail,defaults,auto",
  'context="system_u:object_r:container_file_t:s0:c1,c2"',
  "context=system_u:object_r:container_file_t:s0",
  "sec=krb5p,xprtsec=mtls",
  "hard,hard",
];

const bad: readonly (readonly [options: string, message: RegExp])[] = [
  ["hrad", /^the 1st .* is none .*: use hard, soft, /],
  ["hard,PASSWORD=hunter2!", /the 2nd|the 1st mount flag/],
  ["hard,soft", /^soft, .* contradicts hard, the 1st: leave one of them out$/],
  ["vers=3,vers=4.1", /^vers, .* contradicts vers, the 1st: leave one of them out$/],
  ["udp", /^udp, .* loses data: leave it out$/],
  ["proto=udp", /^proto, .*: write proto= with tcp or tcp6$/],
  ["vers=2", /^vers, .*: write vers= with 3, 4, 4\.0, 4\.1 or 4\.2$/],
  ["timeo=abc", /^timeo, .*: write timeo= with a whole number/],
  ["lookupcache=xx", /^lookupcache, .* with all, none, pos or positive$/],
  ["sec=hunter2", /^sec, .* with sys, krb5, krb5i or krb5p$/],
  ["clientaddr=10.0.0.9", /^clientaddr, .* another address .*: leave it out$/],
  ["addr=10.0.0.9", /^addr, .* another address .*: leave it out$/],
  ["retry=5", /^retry, .*: leave it out$/],
  ["sharecache", /^sharecache, .*: leave it out$/],
  ["bg", /^bg, .*: leave it out$/],
  ["bind", /^bind, .*: leave it out$/],
  ["remount", /^remount, .*: leave it out$/],
  ["user", /is none .*: use hard, /],
  ["fstype=ext4", /is none .*: use hard, /],
  ["hard\\ro", /is none .*: use hard, /],
  ["hard ro", /is none .*: use hard, /],
  ['context="a,b', /^context, .* in quotes if it has a comma/],
];
const secrets = /hunter2|PASSWORD|10\.0\.0\.9|ext4/;

/** What the node, the configuration and the controller say to the same options, by the place they stand in. */
const elsewhere: Readonly<Record<string, (options: string) => unknown>> = {
  "in the configuration": (options) =>
    parseConfig(
      `exports:\n  - {name: nas, server: nas, share: /k8s, mountOptions: ${JSON.stringify(options)}}\n`,
      "test.yaml",
    ),
  "in the context, at the node": (options) =>
    nfsWish({ ...source, mountOptions: options }, { readOnly: false, mountFlags: [] }),
  "as mount flags, at the node": (options) =>
    nfsWish(source, { readOnly: false, mountFlags: flagsOf(options) }),
};

let site: ExportSite;
let existing: MadeVolume;
before(async () => {
  site = await openExportSite();
  existing = await createVolume(site, "existing", {});
});
after(() => site[Symbol.asyncDispose]());

const flagsOf = (options: string): string[] => (options === "" ? [] : [options]);
const withFlags = (options: string) => [capability(Mode.MULTI_NODE_MULTI_WRITER, flagsOf(options))];
const parameters = { type: "export", export: "nas" };

const created = async (more: Parameters<typeof creation>[1]) =>
  outcomeOf(await site.client.call(rpc.createVolume, creation("new", { parameters, ...more })));

const validated = async (options: string, volumeContext: Record<string, string> = {}) => {
  const asked = {
    volumeId: existing.volumeId,
    volumeContext,
    volumeCapabilities: withFlags(options),
  };
  const { response } = await site.client.call(rpc.validateVolumeCapabilities, asked);
  assert.ok(response !== undefined);
  return { isConfirmed: response.confirmed !== undefined, message: response.message };
};

describe("options that a volume's mount can have", () => {
  for (const options of good) {
    test(`${JSON.stringify(options)} are taken everywhere`, async () => {
      const contents = [
        { parameters: { ...parameters, mountOptions: options } },
        { volumeCapabilities: withFlags(options) },
      ];
      for (const more of contents) {
        assert.deepEqual(await created(more), { code: "OK", details: "" });
        await deleteVolume(site, "export/nfs/new/nas");
      }
      assert.deepEqual(await validated(options), { isConfirmed: true, message: "" });
      assert.deepEqual(await validated("", { mountOptions: options }), { isConfirmed: true, message: "" });
      for (const take of Object.values(elsewhere)) take(options);
    });
  }
});

describe("options that no volume's mount can have", () => {
  const left = () => readdirSync(join(site.server.directory("data")), { recursive: true }).sort();

  for (const [options, message] of bad) {
    test(`${JSON.stringify(options)} are refused at creation, with nothing made`, async () => {
      const before = left();
      const places = [
        {
          more: { parameters: { ...parameters, mountOptions: options } },
          of: "of mountOptions of the StorageClass",
        },
        { more: { volumeCapabilities: withFlags(options) }, of: "mount flag (spec.mountOptions of the PV, " },
      ];
      for (const { more, of } of places) {
        const { code, details } = await created(more);
        assert.equal(code, "INVALID_ARGUMENT", of);
        assert.match(details, message);
        assert.ok(details.includes(of), details);
        assert.doesNotMatch(details, secrets);
      }
      assert.deepEqual(left(), before);
      assert.doesNotMatch(site.log.text, secrets);
    });

    test(`${JSON.stringify(options)} are not confirmed`, async () => {
      for (const { isConfirmed, message: said } of [
        await validated(options),
        await validated("", { mountOptions: options }),
      ]) {
        assert.ok(!isConfirmed);
        assert.match(said, message);
        assert.doesNotMatch(said, secrets);
      }
    });

    for (const [place, take] of Object.entries(elsewhere)) {
      test(`${JSON.stringify(options)} are refused ${place}`, () => {
        assert.throws(
          () => take(options),
          (reason: Error) => {
            const said = reason.message.replace(
              /^test\.yaml:2: exports\[0\]\.mountOptions: is refused: /,
              "",
            );
            assert.match(said, message);
            assert.doesNotMatch(said, secrets);
            return true;
          },
        );
      });
    }
  }
});
