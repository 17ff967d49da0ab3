import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, type DescMessage, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BerthError, type ErrorCode } from "../core/errors.ts";
import {
  ControllerExpandVolumeRequestSchema,
  ControllerGetVolumeRequestSchema,
  CreateVolumeRequestSchema,
  DeleteVolumeRequestSchema,
  GetCapacityRequestSchema,
  ListVolumesRequestSchema,
  NodeGetVolumeStatsRequestSchema,
  NodePublishVolumeRequestSchema,
  NodeStageVolumeRequestSchema,
  NodeUnpublishVolumeRequestSchema,
  NodeUnstageVolumeRequestSchema,
  ValidateVolumeCapabilitiesRequestSchema,
  VolumeCapability_AccessModeSchema,
  type VolumeCapabilitySchema,
} from "../gen/csi/v1/csi_pb.ts";
import { checkRequest } from "./checks.ts";

type CapabilityInit = MessageInitShape<typeof VolumeCapabilitySchema>;

const mount: CapabilityInit = { accessType: { case: "mount", value: {} }, accessMode: { mode: 5 } };
const block: CapabilityInit = { accessType: { case: "block", value: {} }, accessMode: { mode: 5 } };
const modeOfLaterCsi = fromBinary(VolumeCapability_AccessModeSchema, Uint8Array.of(0x08, 99));
const volumeId = "directory/bind/pvc-1/default";
const createRequest = { name: "pvc-1", volumeCapabilities: [mount] };
const stageRequest = { volumeId, stagingTargetPath: "/stage", volumeCapability: mount };
const publishRequest = { volumeId, targetPath: "/target", volumeCapability: mount };

function withFlags(...mountFlags: string[]): CapabilityInit {
  return { accessType: { case: "mount", value: { mountFlags } }, accessMode: { mode: 5 } };
}

function passes<S extends DescMessage>(title: string, schema: S, init: MessageInitShape<S>): void {
  test(`${title} passes`, () => checkRequest(schema, create(schema, init)));
}

function fails<S extends DescMessage>(
  title: string,
  schema: S,
  init: MessageInitShape<S>,
  message: RegExp,
  code: ErrorCode = "invalid-argument",
): void {
  test(`${title} is refused`, () =>
    assert.throws(
      () => checkRequest(schema, create(schema, init)),
      (error) => {
        assert.ok(error instanceof BerthError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      },
    ));
}

describe("a field that CSI requires", () => {
  fails(
    "CreateVolume without name",
    CreateVolumeRequestSchema,
    { ...createRequest, name: "" },
    /^name is missing/,
  );
  fails(
    "CreateVolume without capabilities",
    CreateVolumeRequestSchema,
    { name: "a" },
    /^volume_capabilities is missing/,
  );
  fails("DeleteVolume without id", DeleteVolumeRequestSchema, {}, /^volume_id is missing/);
  fails("ControllerGetVolume without id", ControllerGetVolumeRequestSchema, {}, /^volume_id is missing/);
  fails(
    "Validate without capabilities",
    ValidateVolumeCapabilitiesRequestSchema,
    { volumeId },
    /^volume_capabilities is missing/,
  );
  fails(
    "Expand without range",
    ControllerExpandVolumeRequestSchema,
    { volumeId },
    /^capacity_range is missing/,
  );
  fails(
    "Expand to an empty range",
    ControllerExpandVolumeRequestSchema,
    { volumeId, capacityRange: {} },
    /^capacity_range\.required_bytes is 0/,
  );
  fails(
    "Stage without path",
    NodeStageVolumeRequestSchema,
    { ...stageRequest, stagingTargetPath: "" },
    /^staging_target_path is missing/,
  );
  fails(
    "Stage without capability",
    NodeStageVolumeRequestSchema,
    { volumeId, stagingTargetPath: "/s" },
    /^volume_capability is missing/,
  );
  fails(
    "Unstage without path",
    NodeUnstageVolumeRequestSchema,
    { volumeId },
    /^staging_target_path is missing/,
  );
  fails(
    "Publish without target",
    NodePublishVolumeRequestSchema,
    { ...publishRequest, targetPath: "" },
    /^target_path is missing/,
  );
  fails(
    "Unpublish without target",
    NodeUnpublishVolumeRequestSchema,
    { volumeId },
    /^target_path is missing/,
  );
  fails("Stats without path", NodeGetVolumeStatsRequestSchema, { volumeId }, /^volume_path is missing/);
  passes(
    "Publish without a staging path, which the node judges,",
    NodePublishVolumeRequestSchema,
    publishRequest,
  );
});

describe("a size limit", () => {
  passes("128 bytes of name", CreateVolumeRequestSchema, { ...createRequest, name: "x".repeat(128) });
  fails(
    "129 bytes of name",
    CreateVolumeRequestSchema,
    { ...createRequest, name: "x".repeat(129) },
    /^name is 129 bytes long: CSI allows 128/,
  );
  fails(
    "132 bytes of emoji",
    CreateVolumeRequestSchema,
    { ...createRequest, name: "🚢".repeat(33) },
    /^name is 132 bytes/,
  );
  fails(
    "an over-long token",
    ListVolumesRequestSchema,
    { startingToken: "x".repeat(129) },
    /^starting_token is 129 bytes/,
  );
  passes("4096 bytes of parameters", CreateVolumeRequestSchema, {
    ...createRequest,
    parameters: { k: "x".repeat(4095) },
  });
  fails(
    "4097 bytes of parameters",
    CreateVolumeRequestSchema,
    { ...createRequest, parameters: { k: "x".repeat(4096) } },
    /^parameters holds 4097 bytes/,
  );
  fails(
    "4097 bytes of secrets",
    DeleteVolumeRequestSchema,
    { volumeId, secrets: { k: "x".repeat(4096) } },
    /^secrets holds 4097 bytes/,
  );
  passes("4096 bytes of mount flags", NodeStageVolumeRequestSchema, {
    ...stageRequest,
    volumeCapability: withFlags("a".repeat(4000), "b".repeat(96)),
  });
  fails(
    "4097 bytes of mount flags",
    NodeStageVolumeRequestSchema,
    { ...stageRequest, volumeCapability: withFlags("a".repeat(4000), "b".repeat(97)) },
    /^volume_capability\.mount\.mount_flags are 4097 bytes/,
  );
  passes("a path of 4095 bytes", NodeStageVolumeRequestSchema, {
    ...stageRequest,
    stagingTargetPath: `/${"a".repeat(4094)}`,
  });
  fails(
    "a path of 4096 bytes",
    NodeStageVolumeRequestSchema,
    { ...stageRequest, stagingTargetPath: `/${"a".repeat(4095)}` },
    /^staging_target_path is 4096 bytes/,
  );
});

describe("a character", () => {
  fails(
    "a line break in a name",
    CreateVolumeRequestSchema,
    { ...createRequest, name: "a\nb" },
    /^name has a control character/,
  );
  fails(
    "a NUL in an id",
    DeleteVolumeRequestSchema,
    { volumeId: "a\0" },
    /^volume_id has a control character/,
  );
  fails(
    "a control character in a key",
    CreateVolumeRequestSchema,
    { ...createRequest, parameters: { "a\u0001": "" } },
    /^parameters has a key/,
  );
  fails(
    "a line break in a mount flag",
    NodeStageVolumeRequestSchema,
    { ...stageRequest, volumeCapability: withFlags("rw", "a\nb") },
    /mount_flags\[1\]/,
  );
  passes("a line break in a secret", DeleteVolumeRequestSchema, {
    volumeId,
    secrets: { "a\nkey": "a\nvalue" },
  });
});

describe("a path", () => {
  fails(
    "a relative one",
    NodePublishVolumeRequestSchema,
    { ...publishRequest, targetPath: "a/b" },
    /^target_path "a\/b" is relative/,
  );
  fails(
    "one that climbs",
    NodePublishVolumeRequestSchema,
    { ...publishRequest, targetPath: "/a/../b" },
    /has the component \.\./,
  );
  fails("one with a NUL", NodeUnpublishVolumeRequestSchema, { volumeId, targetPath: "/a\0" }, /has a NUL/);
  passes("one with dots in a name", NodePublishVolumeRequestSchema, {
    ...publishRequest,
    targetPath: "/a..b/..c",
  });
  passes("a relative volume_path, which the node finds nothing at,", NodeGetVolumeStatsRequestSchema, {
    volumeId,
    volumePath: "some/path",
  });
});

describe("a capability", () => {
  const creating = (capability: CapabilityInit) => ({ name: "a", volumeCapabilities: [mount, capability] });
  fails(
    "block access",
    CreateVolumeRequestSchema,
    creating(block),
    /^volume_capabilities\[1\]\.block is not offered/,
  );
  fails(
    "no access type",
    CreateVolumeRequestSchema,
    creating({ accessMode: { mode: 1 } }),
    /^volume_capabilities\[1\]\.access_type is missing/,
  );
  fails(
    "no access mode",
    CreateVolumeRequestSchema,
    creating({ accessType: { case: "mount", value: {} } }),
    /^volume_capabilities\[1\]\.access_mode is missing/,
  );
  fails(
    "access mode UNKNOWN",
    CreateVolumeRequestSchema,
    creating({ ...mount, accessMode: { mode: 0 } }),
    /access_mode\.mode is 0/,
  );
  fails(
    "an access mode of a later CSI",
    CreateVolumeRequestSchema,
    creating({ ...mount, accessMode: modeOfLaterCsi }),
    /access_mode\.mode is 99/,
  );
  fails(
    "a mount group",
    NodeStageVolumeRequestSchema,
    {
      ...stageRequest,
      volumeCapability: { ...mount, accessType: { case: "mount", value: { volumeMountGroup: "7" } } },
    },
    /volume_mount_group is not offered/,
  );
  passes("block access that is only asked about", ValidateVolumeCapabilitiesRequestSchema, {
    volumeId,
    volumeCapabilities: [block],
  });
  passes("block access that is only measured for", GetCapacityRequestSchema, { volumeCapabilities: [block] });
});

describe("a capacity range", () => {
  const creating = (requiredBytes: bigint, limitBytes: bigint) => ({
    ...createRequest,
    capacityRange: { requiredBytes, limitBytes },
  });
  passes("without bounds", CreateVolumeRequestSchema, creating(0n, 0n));
  passes("of one size", CreateVolumeRequestSchema, creating(2n ** 62n, 2n ** 62n));
  fails(
    "below zero",
    CreateVolumeRequestSchema,
    creating(-1n, 0n),
    /^capacity_range\.required_bytes is -1/,
    "out-of-range",
  );
  fails(
    "with a limit below zero",
    CreateVolumeRequestSchema,
    creating(0n, -1n),
    /^capacity_range\.limit_bytes is -1/,
    "out-of-range",
  );
  fails(
    "with a limit below what is required",
    CreateVolumeRequestSchema,
    creating(10n, 9n),
    /no size is in this range/,
    "out-of-range",
  );
  fails(
    "of an expansion that cannot be",
    ControllerExpandVolumeRequestSchema,
    { volumeId, capacityRange: { requiredBytes: 10737418240n, limitBytes: 9663676416n } },
    /no size/,
    "out-of-range",
  );
});

describe("a page", () => {
  fails("of fewer than no entries", ListVolumesRequestSchema, { maxEntries: -1 }, /^max_entries is -1/);
  passes("of any size", ListVolumesRequestSchema, {});
});
