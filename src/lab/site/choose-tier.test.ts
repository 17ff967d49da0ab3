import assert from "node:assert/strict";
import { test } from "node:test";
import { BerthError } from "../../core/errors.ts";
import { chooseTier, type MachineFacts } from "./choose-tier.ts";

const able: MachineFacts = {
  ...{ isRoot: true, architecture: "x64", hasTun: true, hasNfsClient: true, memoryMib: 8_000 },
  missingPackages: () => [],
};

function whyNot(facts: Partial<MachineFacts>): readonly string[] {
  return chooseTier(undefined, { ...able, ...facts }).obstacles.map(([tier, why]) => `${tier}: ${why}`);
}

test("a machine that can have guests gets them", () => {
  assert.deepEqual(chooseTier(undefined, able), { tier: "guests", obstacles: [] });
});

test("each reason against guests is told", () => {
  assert.match(
    whyNot({ architecture: "arm64" })[0] ?? "",
    /^guests: user-mode Linux is for amd64, .* arm64$/,
  );
  assert.match(whyNot({ hasTun: false })[0] ?? "", /no \/dev\/net\/tun/);
  assert.match(whyNot({ memoryMib: 600 })[0] ?? "", /and 600 are free/);
  assert.match(whyNot({ isRoot: false })[0] ?? "", /needs root: sudo make demo/);
});

test("missing packages are told with the command that installs them", () => {
  const missingPackages = (programs: readonly string[]) =>
    programs.includes("linux.uml") ? ["user-mode-linux", "xfsprogs"] : [];
  const choice = chooseTier(undefined, { ...able, missingPackages });
  assert.equal(choice.tier, "namespaces");
  assert.deepEqual(choice.obstacles, [
    ["guests", "it needs packages: sudo apt-get install --no-install-recommends user-mode-linux xfsprogs"],
  ]);
});

test("a machine that can have neither kernels of its own nor NFS of its own gets directories", () => {
  const choice = chooseTier(undefined, { ...able, hasTun: false, hasNfsClient: false });
  assert.equal(choice.tier, "directory");
  assert.deepEqual(
    choice.obstacles.map(([tier]) => tier),
    ["guests", "namespaces"],
  );
  assert.match(choice.obstacles[1]?.[1] ?? "", /kernel has no NFS client/);
});

test("a tier that is asked for is taken, or refused with the reason", () => {
  assert.deepEqual(chooseTier("directory", able), { tier: "directory", obstacles: [] });
  assert.throws(
    () => chooseTier("namespaces", { ...able, hasNfsClient: false }),
    (reason) =>
      reason instanceof BerthError && /cannot have tier namespaces here: .* NFS client/.test(reason.message),
  );
});
