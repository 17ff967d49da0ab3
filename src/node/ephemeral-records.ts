import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import * as v from "valibot";
import type { Log } from "../core/log.ts";
import { randomNonce } from "../core/nonce.ts";
import { isEphemeralId } from "./ephemeral-id.ts";
import { childOf } from "./node-path.ts";

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

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Durable when it returns. */
  async write(record: Omit<EphemeralRecord, "schema">): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const temporary = childOf(this.#directory, `${randomNonce()}.tmp`);
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify({ schema: 1, ...record }, undefined, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#pathOf(record.volumeId));
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
      if (name.endsWith(".tmp")) await rm(path, { force: true });
      const record = name.endsWith(".json")
        ? parse(await readFile(path, "utf8").catch(ifMissing("")))
        : undefined;
      if (record !== undefined && name === `${record.volumeId}.json`) found.push(record);
      else if (name.endsWith(".json")) {
        log.warn(`the record ${path} of an inline volume cannot be read: look at it, and remove it`, {
          path,
        });
      }
    }
    return found;
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
