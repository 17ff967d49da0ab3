/** What a configuration file may say. Messages tell what to write instead. */
import { posix } from "node:path";
import * as v from "valibot";
import { parseDurationMs } from "../../core/duration.ts";
import { limits } from "../../core/limits.ts";
import { serverProblem, sharePathProblem } from "../../share/export-location.ts";
import { nfsOptionsProblem, optionsIn } from "../../share/mount-options.ts";
import { overcommitProblem, parseOvercommit } from "../../volumes/overcommit.ts";
import { usagePaceDefaults } from "../../volumes/usage/usage-plan.ts";

const name = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9-]{1,63}$/, 'write 1 to 63 of the characters a-z, 0-9 and "-"'),
);

/** Milliseconds. @param leastMs shorter ones are refused */
function duration(leastMs: number, leastText: string) {
  const help = `write a number and a unit, at least ${leastText}: 30s, 10m, 24h or 7d`;
  return v.pipe(
    v.string(),
    v.check((text) => (durationMs(text) ?? -1) >= leastMs, help),
    v.transform(parseDurationMs),
  );
}

function durationMs(text: string): number | undefined {
  try {
    return parseDurationMs(text);
  } catch {
    return undefined; // no duration
  }
}

const absolutePath = v.pipe(
  v.string(),
  v.check((path) => path.startsWith("/"), "write an absolute path, such as /srv/volumes"),
  v.check((path) => path !== "/", "choose a directory below /, such as /srv/volumes"),
  v.check((path) => posix.resolve(path) === path, 'write it without "." and "..", "//" and a "/" at the end'),
  v.check((path) => !path.includes("\0"), "leave out the NUL"),
  v.check((path) => Buffer.byteLength(path) <= limits.pathBytesMax, "shorten it to 4095 bytes"),
);

const directory = v.strictObject({
  name,
  path: absolutePath,
  trashRetention: v.optional(duration(0, "0"), "0"),
  overcommit: v.optional(v.pipe(checked(overcommitProblem), v.transform(parseOvercommit)), "unlimited"),
});

const numericId = v.pipe(
  v.number("write a number"),
  v.integer("write a whole number"),
  v.minValue(0, "write 0 or more"),
  v.maxValue(2 ** 32 - 2, "write at most 4294967294"),
);

const port = v.pipe(
  v.number("write a number"),
  v.integer("write a whole number"),
  v.minValue(1, "write 1 to 65535"),
  v.maxValue(65_535, "write 1 to 65535"),
);

const nfsExport = v.strictObject({
  name,
  server: checked(serverProblem),
  share: checked(sharePathProblem),
  nfsVersion: v.exactOptional(v.picklist(["3", "4.1", "4.2"], 'write "3", "4.1" or "4.2", in quotes')),
  port: v.exactOptional(port),
  mountPort: v.exactOptional(port),
  sourcePort: v.exactOptional(v.picklist(["any", "reserved", "auto"], "write any, reserved or auto")),
  uid: v.optional(numericId, 0),
  gid: v.optional(numericId, 0),
  tls: v.exactOptional(
    v.strictObject({
      caFile: v.exactOptional(absolutePath),
      serverName: v.exactOptional(checked(serverProblem)),
    }),
  ),
  mountOptions: v.exactOptional(
    checked((text) => nfsOptionsProblem([optionsIn(text, "option")]), "refused"), // it may hold a secret
  ),
  trashRetention: v.optional(duration(0, "0"), "0"),
  overcommit: v.optional(v.pipe(checked(overcommitProblem), v.transform(parseOvercommit)), "unlimited"),
});

/**
 * A text in which `problemOf` finds no problem.
 * @param received what messages say in place of a text that they must not repeat
 */
function checked(problemOf: (text: string) => string | undefined, received?: string) {
  return v.pipe(
    v.string(),
    v.rawCheck(({ dataset, addIssue }) => {
      const message = dataset.typed ? problemOf(dataset.value) : undefined;
      if (message !== undefined) addIssue({ message, ...(received !== undefined && { received }) });
    }),
  );
}

const reaper = v.strictObject({
  interval: v.optional(duration(1000, "1s"), "1m"),
  entriesPerSecondMax: v.optional(
    v.pipe(v.number(), v.integer("write a whole number"), v.minValue(1, "write at least 1")),
    10_000,
  ),
});

const usage = v.strictObject({
  enabled: v.optional(v.boolean("write true or false"), true),
  interval: v.optional(duration(60_000, "1m"), "1h"),
  entriesPerSecondMax: v.optional(
    v.pipe(v.number(), v.integer("write a whole number"), v.minValue(1, "write at least 1")),
    usagePaceDefaults.entriesPerSecondMax,
  ),
  timeShareMax: v.optional(
    v.pipe(
      v.number(),
      v.minValue(0.01, "write 0.01 to 1, the part of all time that may go into measuring"),
      v.maxValue(1, "write 0.01 to 1, the part of all time that may go into measuring"),
    ),
    usagePaceDefaults.timeShareMax,
  ),
});

export const configSchema = v.strictObject({
  cluster: v.optional(name, "default"),
  directories: v.optional(v.array(directory), []),
  exports: v.optional(v.array(nfsExport), []),
  reaper: v.optional(reaper, {}),
  usage: v.optional(usage, {}),
  ephemeral: v.optional(v.strictObject({ exports: v.optional(v.array(name), []) }), {}),
});
