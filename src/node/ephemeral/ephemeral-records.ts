import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import * as v from "valibot";
import type { Log } from "../../core/log.ts";
import { randomNonce } from "../../core/nonce.ts";
import { childOf } from "../mounts/node-path.ts";
import { isEphemeralId } from "./ephemeral-id.ts";

const schema = v.object({
  schema: v.literal(1),
  volumeId: v.pipe(v.string(), v.check(isEphemeralId)),
  export: v.string(),
  targetPath: v.pipe(v.string(), v.startsWith("/")),
  pod: v.optional(v.string(), ""),
  createdAt: v.string(),
});

/** What this node knows of an inline volume before anything of it exists: who wants it, and where. */
export type EphemeralRecord = Readonly<v.InferOutput<typeof schema>>;

/**
 * Files of a directory of this node that outlives the process and a reboot. The directory is the driver's own, beside
 * its socket: no volume is ever mounted there.
 */
export class EphemeralRecords {
  readonly #directory: string;
  /** Those of this process that are on their way to their names. */
  readonly #temporary = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Durable when it returns. */
  async write(record: Omit<EphemeralRecord, "schema">): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const name = `${randomNonce()}.tmp`;
    this.#temporary.add(name);
    try {
      await this.#writeAs(childOf(this.#directory, name), record);
    } finally {
      this.#temporary.delete(name);
    }
    await this.#sync();
  }

  /** Undefined for a volume of which nothing is known. */
  async read(volumeId: string): Promise<EphemeralRecord | undefined> {
    const content = await readFile(this.#pathOf(volumeId), "utf8").catch(ifMissing(undefined));
    return content === undefined ? undefined : parse(content);
  }

  async remove(volumeId: string): Promise<void> {
    await rm(this.#pathOf(volumeId), { force: true });
    await this.#sync();
  }

  /** Those that can be read; what is left of a write that was cut goes. */
  async list(log: Log): Promise<EphemeralRecord[]> {
    const found: EphemeralRecord[] = [];
    for (const name of await readdir(this.#directory).catch(ifMissing([]))) {
      const path = childOf(this.#directory, name);
      if (name.endsWith(".tmp") && !this.#temporary.has(name)) await rm(path).catch(() => {});
      if (!name.endsWith(".json")) continue;
      // Whatever lies there: one that is no file must not keep the others from being looked after.
      const record = parse(await readFile(path, "utf8").catch(() => ""));
      if (record !== undefined && name === `${record.volumeId}.json`) found.push(record);
      else {
        log.warn(`the record ${path} of an inline volume cannot be read: look at it, and remove it`, {
          path,
        });
      }
    }
    return found;
  }

  async #writeAs(temporary: string, record: Omit<EphemeralRecord, "schema">): Promise<void> {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ schema: 1, ...record }, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#pathOf(record.volumeId));
  }

  /** The volume's id is a file's name: whoever calls has seen that it is one of the known form. */
  #pathOf(volumeId: string): string {
    return childOf(this.#directory, `${volumeId}.json`);
  }

  async #sync(): Promise<void> {
    const directory = await open(this.#directory, "r").catch(ifMissing(undefined));
    await directory?.sync().finally(() => directory.close());
  }
}

function parse(content: string): EphemeralRecord | undefined {
  try {
    return v.parse(schema, JSON.parse(content));
  } catch {
    return undefined; // cut, or edited by hand
  }
}

function ifMissing<T>(otherwise: T): (reason: unknown) => T {
  return (reason) => {
    if (reason instanceof Error && "code" in reason && reason.code === "ENOENT") return otherwise;
    throw reason;
  };
}
