import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../core/clock.ts";
import { randomNonce } from "../core/nonce.ts";
import { DirectoryShare } from "../share/directory-share.ts";
import { printLocation } from "../share/export-location.ts";
import { ShareVolumes } from "../volumes/share-volumes.ts";
import { ExportPlacement } from "./export.ts";

/** Its shares touch nothing until they are used. */
function placementThatTells(): { placement: ExportPlacement; opened: string[]; closed: string[] } {
  const [opened, closed]: [string[], string[]] = [[], []];
  const placement = new ExportPlacement({
    exports: [],
    open: (location) => {
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
    },
  });
  return { placement, opened, closed };
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
