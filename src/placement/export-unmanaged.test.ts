import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../core/clock.ts";
import { randomNonce } from "../core/nonce.ts";
import { DirectoryShare } from "../share/directory-share.ts";
import { type ExportLocation, printLocation } from "../share/export-location.ts";
import { ShareVolumes } from "../volumes/share-volumes.ts";
import { ExportPlacement, type OpenedExport } from "./export.ts";

/** Its shares touch nothing until they are used. */
function placementThatTells(configured: readonly Pick<OpenedExport, "source" | "location" | "port">[] = []): {
  placement: ExportPlacement;
  opened: string[];
  closed: string[];
} {
  const [opened, closed]: [string[], string[]] = [[], []];
  const open = (location: ExportLocation): OpenedExport => {
    const source = printLocation(location);
    opened.push(source);
    const share = new DirectoryShare({ name: source, path: "/nonexistent" });
    const close = share.close.bind(share);
    share.close = async () => {
      closed.push(source);
      await close();
    };
    const context = {
      share,
      owner: { cluster: "c", driver: "d" },
      clock: systemClock,
      newNonce: randomNonce,
    };
    return { source, location, volumes: new ShareVolumes(context), trashRetentionMs: 0 };
  };
  const exports = configured.map((each) => ({ ...open(each.location), ...each }));
  opened.length = 0;
  return { placement: new ExportPlacement({ exports, open }), opened, closed };
}

const place = (placement: ExportPlacement, server: string) =>
  placement.place({ type: "export", server, share: "/k8s" }, "pvc-1");

test("an export that only a class names is opened once", () => {
  const { placement, opened } = placementThatTells();
  const [one, other] = [place(placement, "nas"), place(placement, "nas")];
  assert.equal(one.volumes, other.volumes);
  assert.deepEqual(opened, ["nas:/k8s"]);
});

test("a class cannot put volumes into Berth's own folder by its share", () => {
  const { placement, opened } = placementThatTells();
  const place = () => placement.place({ type: "export", server: "nas", share: "/k8s/.BERTH" }, "pvc-1");
  assert.throws(place, {
    code: "invalid-argument",
    message: /^StorageClass parameter share .* leads into \.berth/,
  });
  assert.deepEqual(opened, []);
});

test("a place that lies in a configured export, or contains one, is refused: one's volumes could lie in the other's", () => {
  const nas = { source: "nas", location: { server: "nas", share: "/k8s" } };
  const { placement, opened } = placementThatTells([nas, { ...nas, source: "other", port: 20490 }]);
  const at = (server: string, share: string) => placement.place({ type: "export", server, share }, "pvc-1");
  for (const [share, how] of [
    ["/k8s/team", "lies in"],
    ["/k8s/a/b", "lies in"],
    ["/", "contains"],
  ] as const) {
    assert.throws(() => at("nas", share), {
      code: "invalid-argument",
      message: `StorageClass parameter share "${share}" ${how} the export nas of the configuration (nas:/k8s), so one's volumes could lie in the other's: give export: nas, with a subDir below it, in place of server and share`,
    });
  }
  assert.deepEqual(opened, []);
  for (const [server, share] of [
    ["nas", "/k8s"],
    ["nas", "/k8s-2"],
    ["another", "/k8s/team"],
  ] as const)
    at(server, share);
  const elsewhere = placementThatTells([{ ...nas, port: 20490 }]).placement;
  elsewhere.place({ type: "export", server: "nas", share: "/k8s/team" }, "pvc-1");
});

test("of more than 256 exports that only classes name, the one used longest ago is closed", () => {
  const { placement, closed } = placementThatTells();
  for (let index = 0; index < 256; index += 1) place(placement, `nas-${index}`);
  assert.deepEqual(closed, []);
  place(placement, "nas-0");
  place(placement, "one-more");
  assert.deepEqual(closed, ["nas-1:/k8s"]);
  assert.equal(placement.unmanaged.length, 256);
});

test("a place that is too long for a volume's id is refused with the remedy", () => {
  const { placement } = placementThatTells();
  assert.throws(() => place(placement, `nas.${"x".repeat(50)}.${"y".repeat(50)}.example`), {
    code: "invalid-argument",
    message:
      /share makes, with server, volume ids of more than the 128 bytes.*: name the export in the driver's configuration/,
  });
});
