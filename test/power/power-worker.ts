/**
 * Works on the volumes of two shares until its machine loses power:
 * `node power-worker.ts KNOWN TOLD ROUND`. First it checks what KNOWN says of the lives before, then goes on
 * with what they have begun, then does more. All that it tells is on the other side of TOLD when it goes on.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/core/clock.ts";
import { hasCode } from "../../src/core/errors.ts";
import { type Log, silentLog } from "../../src/core/log.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { DirectoryShare } from "../../src/share/directory-share.ts";
import { openPath } from "../../src/share/fs-at.ts";
import { keepsOrder } from "../../src/share/journal-order.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { idOf, newCall, owner, requestFor } from "../support/volume-fixture.ts";
import type { Known, Line } from "./told.ts";

const [knownFile = "", toldFile = "", round = ""] = process.argv.slice(2);
/** In flight on each share. */
const workers = 4;
const listedMax = 10_000;

const tell = (...words: Line | readonly ["wrong" | "checked", ...(readonly string[])]): void =>
  appendFileSync(toldFile, `${JSON.stringify(words)}\n`);

class Work {
  readonly #share: string;
  readonly #path: string;
  readonly #volumes: ShareVolumes;
  readonly #reaper: Reaper;
  readonly #random = seededRandom(Number(round));
  #made = 0;

  constructor(share: string) {
    this.#share = share;
    this.#path = join("/srv", share);
    const context = {
      share: new DirectoryShare({ name: share, path: this.#path, kept: layoutPaths }),
      owner,
      clock: systemClock,
      newNonce: randomNonce,
    };
    this.#volumes = new ShareVolumes(context);
    this.#reaper = new Reaper(context, { intervalMs: 1, stagingGraceMs: 3_600_000 }, silentLog);
    if (!keepsOrder(openPath(this.#path))) this.#wrong("its file system does not keep the order of changes");
  }

  async check(all: readonly Known[]): Promise<void> {
    const known = all.filter(({ share }) => share === this.#share);
    for (const area of ["volumes", "paths", "kept", "trash"])
      this.#checkRecords(join(this.#path, ".berth", area));
    const warn = (message: string) => this.#wrong(message);
    const log: Log = { ...silentLog, warn };
    if (known.length > 0) {
      const { volumes } = await this.#volumes.list({ ...newCall(), log }, undefined, listedMax);
      for (const { id, state } of volumes)
        if (state === "lost") this.#wrong(`${id.name} has lost its directory`);
    }
    for (const each of known) await this.#checkVolume(each);
    await Promise.all(known.map((each) => this.#goOn(each)));
    await this.#reaper.pass(new AbortController().signal);
  }

  /** Creates, expands and deletes for ever. */
  async goOn(): Promise<never> {
    for (;;) {
      this.#made += 1;
      const name = `${this.#share}-${round}-${this.#made}`;
      await this.#call("create", name);
      if (this.#random() < 0.5) await this.#call("expand", name);
      if (this.#random() < 0.7) await this.#call("delete", name);
      if (this.#random() < 0.05) await this.#reaper.pass(new AbortController().signal);
    }
  }

  async #call(what: "create" | "expand" | "delete", name: string): Promise<void> {
    tell("begin", this.#share, what, name, 0);
    let sizeBytes = 0n;
    if (what === "create") ({ sizeBytes } = await this.#volumes.create(newCall(), requestFor(name)));
    if (what === "expand") {
      const range = { requiredBytes: 5000n, limitBytes: 0n };
      ({ sizeBytes } = await this.#volumes.expand(newCall(), idOf(name), range));
    }
    if (what === "delete") await this.#volumes.delete(newCall(), idOf(name));
    tell("done", this.#share, what, name, Number(sizeBytes));
  }

  async #goOn({ name, state }: Known): Promise<void> {
    if (state === "creating") await this.#call("create", name);
    if (state === "expanding") await this.#call("expand", name);
    if (state === "deleting") await this.#call("delete", name);
  }

  async #checkVolume({ name, state, sizeBytes }: Known): Promise<void> {
    if (state === "creating" || state === "deleting") return;
    const isThere = existsSync(join(this.#path, name));
    const found = await this.#volumes.get(newCall(), idOf(name)).catch((reason: unknown) => {
      if (!hasCode(reason, "not-found")) throw reason;
      return undefined;
    });
    if (state === "gone") {
      if (isThere || found !== undefined) this.#wrong(`${name} was deleted, and is back`);
    } else if (!isThere || found?.state !== "ready") {
      this.#wrong(`${name} was created, and is ${found?.state ?? "gone"}`);
    } else if (found.sizeBytes < sizeBytes) {
      this.#wrong(`${name} has ${found.sizeBytes} bytes, and had ${sizeBytes}`);
    }
  }

  #checkRecords(directory: string): void {
    if (!existsSync(directory)) return;
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile()) continue;
      try {
        JSON.parse(readFileSync(path, "utf8"));
      } catch {
        this.#wrong(`${path} is no whole record: ${JSON.stringify(readFileSync(path, "utf8"))}`);
      }
    }
  }

  #wrong(what: string): void {
    tell("wrong", this.#share, what);
  }
}

const known: readonly Known[] = JSON.parse(readFileSync(knownFile, "utf8"));
const works = ["ext4", "xfs"].map((share) => new Work(share));
await Promise.all(works.map((work) => work.check(known)));
tell("checked");
await Promise.all(works.flatMap((work) => Array.from({ length: workers }, () => work.goOn())));
