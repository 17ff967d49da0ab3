/** Bad input to the Controller service: the right code, a message that helps, nothing created and nothing lost. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CreateVolumeRequestSchema,
  VolumeCapability_AccessMode_Mode as Mode,
} from "../../src/gen/csi/v1/csi_pb.ts";
import {
  created,
  creation,
  type Fixture,
  mount,
  rpc,
  startController,
} from "../support/edge-controller-harness.ts";
import { capability, outcomeOf } from "../support/edge-node-harness.ts";

type CreateInit = MessageInitShape<typeof CreateVolumeRequestSchema>;

/** Every file and directory of both shares, and what the files hold; a glob would leave out `.berth`. */
function everything({ paths }: Fixture): string[] {
  return Object.values(paths).flatMap((path) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .map((entry) => {
        const at = join(entry.parentPath, entry.name);
        return `${at} ${entry.isFile() ? readFileSync(at, "utf8") : ""}`;
      })
      .sort(),
  );
}

/** With one volume that holds data, so that there is something to lose. */
async function startWithVolume(t: TestContext): Promise<Fixture & { volumeId: string }> {
  const fixture = await startController(t);
  const volumeId = await created(fixture.client, "kept");
  writeFileSync(join(fixture.paths.one, "kept/data"), "precious");
  return { ...fixture, volumeId };
}

/** Each number as another list of 18 options that a volume may have. */
function optionsNumber(number: number): string {
  const bits = [...number.toString(2).padStart(18, "0")];
  return bits.map((bit) => (bit === "0" ? "ro" : "rw")).join(",");
}

describe("CreateVolume", () => {
  const long = "x".repeat(129);
  for (const { title, more, code = "INVALID_ARGUMENT", details } of [
    {
      title: "no name",
      more: { name: "" },
      details: /^name is missing: CSI requires it in CreateVolumeRequest/,
    },
    {
      title: "a name of 129 bytes",
      more: { name: long },
      details: /^name is 129 bytes long: CSI allows 128/,
    },
    { title: "a name that climbs", more: { name: "../x" }, details: /volume name "\.\.\/x" .*: / },
    { title: "a name with a slash", more: { name: "a/b" }, details: /volume name "a\/b" .*: / },
    {
      title: "a name with a NUL",
      more: { name: "a\0b" },
      details: /^name has a control character: leave it out/,
    },
    { title: "the name ..", more: { name: ".." }, details: /volume name "\.\." .*: / },
    {
      title: "no capability",
      more: { volumeCapabilities: [] },
      details: /^volume_capabilities is missing: CSI requires it/,
    },
    {
      title: "a capability without access type",
      more: { volumeCapabilities: [{ accessMode: { mode: Mode.MULTI_NODE_MULTI_WRITER } }] },
      details: /^volume_capabilities\[0\]\.access_type is missing: set mount/,
    },
    {
      title: "the access mode UNKNOWN",
      more: { volumeCapabilities: [capability(Mode.UNKNOWN)] },
      details:
        /^volume_capabilities\[0\]\.access_mode\.mode is 0, which CSI v1\.12 does not define: name a mode/,
    },
    {
      title: "more mount flags in all its capabilities than a record holds",
      more: {
        volumeCapabilities: Array.from({ length: 20 }, (_, index) =>
          capability(
            Mode.MULTI_NODE_MULTI_WRITER,
            Array.from({ length: 60 }, (_, flag) => optionsNumber(index * 60 + flag)),
          ),
        ),
      },
      details: /the record of volume .* would have [0-9]+ bytes, .*: give it fewer mount flags/,
    },
    {
      title: "a mount flag that a directory's volume cannot have",
      more: {
        volumeCapabilities: [mount, capability(Mode.MULTI_NODE_MULTI_WRITER, ["noexec", "password=hunter2"])],
      },
      details: /^the 2nd mount flag \(.*\) is none that a directory volume can have: use ro, rw, [^=]*$/,
    },
    {
      title: "mount flags of more than 4 KiB",
      more: {
        volumeCapabilities: [capability(Mode.MULTI_NODE_MULTI_WRITER, ["a".repeat(4000), "b".repeat(97)])],
      },
      details: /^volume_capabilities\[0\]\.mount\.mount_flags are 4097 bytes long in all: CSI allows 4096/,
    },
    {
      title: "parameters of more than 4 KiB",
      more: { parameters: { type: "directory", x: "y".repeat(4096) } },
      details: /^parameters holds \d+ bytes of keys and values: CSI allows 4096/,
    },
    {
      title: "a range whose limit is below what is required",
      more: { capacityRange: { requiredBytes: 2n, limitBytes: 1n } },
      code: "OUT_OF_RANGE",
      details: /^capacity_range\.limit_bytes is 1, and required_bytes is 2: no size is in this range/,
    },
    {
      title: "a negative size",
      more: { capacityRange: { requiredBytes: -1n } },
      code: "OUT_OF_RANGE",
      details: /^capacity_range\.required_bytes is -1: a size is 0 or more/,
    },
    {
      title: "a mode that is no number",
      more: { parameters: { type: "directory", share: "one", mode: "rwx" } },
      details: /^StorageClass parameter mode "rwx" is no mode: write three or four octal digits/,
    },
  ] satisfies { title: string; more: Partial<CreateInit>; code?: string; details: RegExp }[]) {
    test(`with ${title} is ${code}, with the field, the cause and the remedy, and changes nothing`, async (t) => {
      const fixture = await startWithVolume(t);
      const before = everything(fixture);
      const answer = outcomeOf(await fixture.client.call(rpc.createVolume, creation("new", more)));
      assert.equal(answer.code, code, answer.details);
      assert.match(answer.details, details);
      assert.deepEqual(everything(fixture), before);
    });
  }

  for (const { title, spoil, code, details } of [
    {
      title: "a file where the volume would be",
      spoil: (one: string) => writeFileSync(join(one, "new"), "mine"),
      code: "ALREADY_EXISTS",
      details: /^share one .*: new exists and is no volume of Berth: move it away, ask for another name/,
    },
    {
      title: "a directory of somebody else where the volume would be",
      spoil: (one: string) => mkdirSync(join(one, "new")),
      code: "ALREADY_EXISTS",
      details: /^share one .*: new exists and is no volume of Berth: move it away/,
    },
    {
      title: "a file where Berth's own directory should be",
      spoil: (one: string) => {
        rmSync(join(one, ".berth"), { recursive: true });
        writeFileSync(join(one, ".berth"), "mine");
      },
      code: "UNAVAILABLE",
      details: /\.berth/,
    },
    {
      title: "a record that cannot be read",
      spoil: (one: string) => {
        mkdirSync(join(one, ".berth/volumes/new"));
        writeFileSync(join(one, ".berth/volumes/new/identity.json"), '{"schema":1');
      },
      code: "UNAVAILABLE",
      details: /record \.berth\/volumes\/new\/identity\.json cannot be read .*: restore it from a backup/,
    },
  ]) {
    test(`in the way of ${title} is ${code}, and what is there stays`, async (t) => {
      const fixture = await startWithVolume(t);
      spoil(fixture.paths.one);
      const before = everything(fixture);
      const answer = outcomeOf(await fixture.client.call(rpc.createVolume, creation("new")));
      assert.match(answer.details, details);
      assert.equal(answer.code, code, answer.details);
      assert.deepEqual(everything(fixture), before);
    });
  }
});

describe("a call for a volume", () => {
  for (const { title, method, request, code = "INVALID_ARGUMENT", details } of [
    {
      title: "DeleteVolume without an id",
      method: rpc.deleteVolume,
      request: {},
      details: /^volume_id is missing: CSI requires it in DeleteVolumeRequest/,
    },
    {
      title: "DeleteVolume with an id of 129 bytes",
      method: rpc.deleteVolume,
      request: { volumeId: "x".repeat(129) },
      details: /^volume_id is 129 bytes long: CSI allows 128/,
    },
    {
      title: "ControllerGetVolume without an id",
      method: rpc.controllerGetVolume,
      request: {},
      details: /^volume_id is missing/,
    },
    {
      title: "ValidateVolumeCapabilities without capabilities",
      method: rpc.validateVolumeCapabilities,
      request: { volumeId: "directory/bind/kept/one" },
      details: /^volume_capabilities is missing/,
    },
    {
      title: "ControllerExpandVolume without a range",
      method: rpc.controllerExpandVolume,
      request: { volumeId: "directory/bind/kept/one" },
      details: /^capacity_range is missing/,
    },
    {
      title: "ControllerExpandVolume to no size",
      method: rpc.controllerExpandVolume,
      request: { volumeId: "directory/bind/kept/one", capacityRange: {} },
      details: /^capacity_range\.required_bytes is 0, as is limit_bytes: say how large the volume is to be/,
    },
    {
      title: "ControllerExpandVolume to an impossible range",
      method: rpc.controllerExpandVolume,
      request: { volumeId: "directory/bind/kept/one", capacityRange: { requiredBytes: 9n, limitBytes: 8n } },
      code: "OUT_OF_RANGE",
      details: /^capacity_range\.limit_bytes is 8, and required_bytes is 9/,
    },
    {
      title: "ControllerExpandVolume of a foreign volume",
      method: rpc.controllerExpandVolume,
      request: { volumeId: "nas#k8s#pvc-1##", capacityRange: { requiredBytes: 9n } },
      code: "NOT_FOUND",
      details: /nas#k8s#pvc-1##/,
    },
  ]) {
    test(`${title} is ${code}, with the field, the cause and the remedy, and changes nothing`, async (t) => {
      const fixture = await startWithVolume(t);
      const before = everything(fixture);
      const answer = outcomeOf(
        await fixture.client.call<typeof method.input, typeof method.output>(method, request),
      );
      assert.equal(answer.code, code, answer.details);
      assert.match(answer.details, details);
      assert.deepEqual(everything(fixture), before);
    });
  }
});
