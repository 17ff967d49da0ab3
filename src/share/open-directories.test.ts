import assert from "node:assert/strict";
import { closeSync, rmSync, statSync, utimesSync } from "node:fs";
import { test } from "node:test";
import { scratchDirectory } from "../../tools/scratch.ts";
import { openPath } from "./fs-at.ts";
import { OpenDirectory } from "./open-directories.ts";

class Fixture implements Disposable {
  readonly path = scratchDirectory("directory");
  readonly fd = openPath(this.path);
  readonly directory: OpenDirectory;

  constructor(keepsOrder: boolean) {
    this.directory = new OpenDirectory(this.fd, keepsOrder);
    utimesSync(this.path, 1, 1);
  }

  /** A sync of all changes the directory, so that the change is the last one. */
  get isTouched(): boolean {
    return statSync(this.path).mtimeMs !== 1000;
  }

  [Symbol.dispose](): void {
    this.directory.release();
    rmSync(this.path, { recursive: true });
  }
}

test("where the order is kept, all who ask while one sync runs share the next", async () => {
  using fixture = new Fixture(true);
  const { directory } = fixture;
  const first = directory.syncAll();
  const others = [directory.syncAll(), directory.syncAll(), directory.syncAll()];
  assert.equal(new Set([first, ...others]).size, 2);
  assert.notEqual(first, others[0]);
  const ended: string[] = [];
  await Promise.all([
    ...others.map((other) => other.then(() => ended.push("next"))),
    first.then(() => ended.push("first")),
  ]);
  assert.equal(ended[0], "first");
  assert.equal(fixture.isTouched, true);
  assert.notEqual(directory.syncAll(), others[0]);
  await directory.syncAll();
});

test("where the order is kept, a step is left to the sync of all", async () => {
  using fixture = new Fixture(true);
  await fixture.directory.sync();
  assert.equal(fixture.isTouched, false);
});

test("where the order is not kept, a step syncs for itself, and nothing is left to do", async () => {
  using fixture = new Fixture(false);
  const { directory } = fixture;
  const [first, ...others] = [directory.sync(), directory.sync(), directory.sync()];
  assert.equal(new Set([first, ...others]).size, 2);
  await Promise.all([first, ...others]);
  await directory.syncAll();
  assert.equal(fixture.isTouched, false);
});

test("whoever shares a sync that fails hears of it, and the next begins anew", async () => {
  using scratch = new Fixture(true);
  const gone = openPath(scratch.path);
  const directory = new OpenDirectory(gone, true);
  closeSync(gone);
  const failed = await Promise.allSettled([directory.syncAll(), directory.syncAll(), directory.syncAll()]);
  for (const outcome of failed) {
    assert.equal(outcome.status, "rejected");
    assert.equal(outcome.reason.code, "EBADF");
  }
  assert.equal(openPath(scratch.path), gone, "the lowest free number");
  await directory.syncAll();
  directory.release();
});
