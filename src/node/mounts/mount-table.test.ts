import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isWithin, MountTable, readMountTable } from "./mount-table.ts";

/** `id parent device root point`, as lines of mountinfo. */
function table(...mounts: string[]): MountTable {
  const lines = mounts.map((mount) => {
    const [id, parent, device, root, point] = mount.split(" ");
    return `${id} ${parent} ${device} ${root} ${point} rw,relatime shared:1 - ext4 /dev/${device} rw\n`;
  });
  return MountTable.parse(lines.join(""));
}

const plain = table(
  "1 0 8:1 / /",
  "2 1 8:2 / /srv",
  "3 2 8:3 /exports /srv/a",
  "4 1 8:2 /pvc /var/lib/kubelet/stage",
);

describe("a line of mountinfo", () => {
  test("is read whole, with or without optional fields", () => {
    const { mounts } = MountTable.parse(
      "1 1 8:1 / / rw - ext4 /dev/sda rw\n" +
        "36 1 98:0 /mnt1 /mnt2 rw,noatime shared:2 master:1 - ext3 /dev/root rw,errors=continue\n",
    );
    assert.deepEqual(mounts[1], {
      id: 36,
      parentId: 1,
      device: "98:0",
      root: "/mnt1",
      mountPoint: "/mnt2",
      options: ["rw", "noatime"],
      propagation: ["shared:2", "master:1"],
      fsType: "ext3",
      source: "/dev/root",
      superOptions: ["rw", "errors=continue"],
    });
    assert.deepEqual(mounts[0]?.propagation, []);
  });

  test("with escaped blanks, newlines, backslashes and # gives them back", () => {
    const { mounts } = table("1 0 8:1 / /", String.raw`2 1 8:2 /a\040b /m\011\012\134\043`);
    assert.deepEqual([mounts[1]?.root, mounts[1]?.mountPoint], ["/a b", "/m\t\n\\#"]);
  });

  for (const line of [
    "nonsense",
    "1 1 8:1 / / rw",
    "1 1 8:1 / / rw - ext4",
    "x 1 8:1 / / rw - ext4 src rw",
    "1 -1 8:1 / / rw - ext4 src rw",
    "1 1 8:1 / / rw shared:1 ext4 src rw",
  ]) {
    test(`${JSON.stringify(line)} is refused and shown`, () =>
      assert.throws(() => MountTable.parse(line), { code: "internal", message: /mount table/ }));
  }

  test("alone, which is not the root's, is refused", () =>
    assert.throws(() => table("2 1 8:2 / /srv"), { code: "internal", message: /has no root/ }));
});

describe("a mount table", () => {
  test("finds a mount at its mount point only", () => {
    assert.equal(plain.at("/srv/a")?.id, 3);
    assert.equal(plain.at("/srv/a/b"), undefined);
    assert.equal(plain.at("/srv/ab"), undefined);
    assert.equal(plain.at("/")?.id, 1);
  });

  for (const [path, device, root] of [
    ["/", "8:1", "/"],
    ["/home/x", "8:1", "/home/x"],
    ["/srv", "8:2", "/"],
    ["/srv/pvc", "8:2", "/pvc"],
    ["/srv/a", "8:3", "/exports"],
    ["/srv/a/pvc/sub", "8:3", "/exports/pvc/sub"],
    ["/srv/ab", "8:2", "/ab"],
    ["/var/lib/kubelet/stage/file", "8:2", "/pvc/file"],
  ] as const) {
    test(`locates ${path} as ${root} of ${device}`, () =>
      assert.deepEqual(plain.locate(path), { device, root }));
  }

  test("knows that two paths are one directory", () => {
    const mounts = plain.of(plain.locate("/srv/pvc"));
    assert.deepEqual(
      mounts.map(({ mountPoint }) => mountPoint),
      ["/var/lib/kubelet/stage"],
    );
  });

  test("shows the topmost of several mounts at one place", () => {
    const stacked = table("1 0 8:1 / /", "2 1 8:2 / /m", "3 2 8:3 / /m", "4 3 8:4 / /m");
    assert.equal(stacked.at("/m")?.id, 4);
    assert.equal(stacked.locate("/m/x").device, "8:4");
  });

  test("does not show what a later mount hides, but lists it", () => {
    // Something was mounted on /m/sub, and then on /m, over it.
    const hidden = table("1 0 8:1 / /", "2 1 8:2 / /m/sub", "3 1 8:3 / /m");
    assert.equal(hidden.at("/m/sub"), undefined);
    assert.equal(hidden.locate("/m/sub/x").device, "8:3");
    assert.deepEqual(
      hidden.below("/m").map(({ id }) => id),
      [2],
    );
  });

  test("takes the root that is mounted on the root", () => {
    const pivoted = table("1 0 8:1 / /", "2 1 8:2 / /");
    assert.equal(pivoted.at("/")?.id, 2);
  });

  test("of this machine is read, and has a root", async () => {
    const real = await readMountTable();
    assert.equal(real.at("/proc")?.fsType, "proc");
    assert.equal(real.holding("/").mountPoint, "/");
  });

  test("of any chain of mounts finds for any path a mount whose point holds it", () => {
    const component = fc.constantFrom("a", "b", "ab", "c d");
    const paths = fc.array(component, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
    fc.assert(
      fc.property(fc.array(paths, { maxLength: 8 }), paths, (points, path) => {
        const mounts = points.map(
          (point, index) => `${index + 2} 1 8:${index + 2} / ${point.replaceAll(" ", "\\040")}`,
        );
        const found = table("1 0 8:1 / /", ...mounts);
        const holding = found.holding(path);
        assert.ok(isWithin(path, holding.mountPoint));
        assert.equal(found.at(path) !== undefined, holding.mountPoint === path);
      }),
    );
  });
});

test("a path is within a directory by whole components", () => {
  for (const [path, directory, within] of [
    ["/a", "/a", true],
    ["/a/b", "/a", true],
    ["/ab", "/a", false],
    ["/", "/a", false],
    ["/a", "/", true],
  ] as const) {
    assert.equal(isWithin(path, directory), within, `${path} in ${directory}`);
  }
});
