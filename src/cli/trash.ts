import { Command, Option } from "commander";
import { type Call, Effects } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import { type Log, silentLog } from "../core/log.ts";
import { bytesText } from "../core/size-text.ts";
import { parseVolumeId, printVolumeId, type VolumeId } from "../core/volume-id.ts";
import { printable } from "../csi/printable.ts";
import type { TrashedVolume } from "../volumes/trash.ts";
import { parseDriverName } from "./options.ts";

interface TrashOptions {
  readonly config: string;
  readonly driverName: string;
  readonly json?: true;
}

/** `berth trash`: what DeleteVolume took away, while its retention lasts. */
export function trashCommand(): Command {
  const trash = new Command("trash").description(
    "Lists deleted volumes that are still kept (trashRetention), and takes a deletion back.",
  );
  trash.summary("list deleted volumes, and restore one");
  addShareOptions(
    trash.command("list").description("list this cluster's deleted volumes, the one deleted last first"),
  )
    .option("--json", "one line of JSON for each, for programs")
    .action(list);
  addShareOptions(
    trash
      .command("restore")
      .summary("put a deleted volume back, with its data")
      .argument("<volume-id>", "the volume's id (volumeHandle), as `berth trash list` shows it")
      .description(
        "Puts a deleted volume back: its directory and its record. Kubernetes has forgotten it; create a " +
          "PersistentVolume with its volumeHandle to use it again.",
      ),
  ).action(restore);
  return trash;
}

function addShareOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--config <file>", "the controller's configuration, a YAML file").makeOptionMandatory(),
    )
    .addOption(
      new Option("--driver-name <name>", "the driver's CSI name, as the controller has it")
        .default("csi.berth.dev")
        .argParser(parseDriverName),
    );
}

/** A share that does not answer hides no other: the rest is listed, and the exit code is 1. */
async function list(options: TrashOptions): Promise<void> {
  await using opened = await sharesOf(options);
  const { shares } = opened;
  const found = await Promise.allSettled(
    shares.placements.shares.map(async (volumes) => await volumes.trash(newCall())),
  );
  const trashed = found.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
  for (const volume of trashed)
    process.stdout.write(`${options.json ? jsonLine(volume) : textLine(volume)}\n`);
  const failed = found.flatMap((each) => (each.status === "rejected" ? [BerthError.from(each.reason)] : []));
  for (const { message } of failed) process.stderr.write(`berth: not listed: ${message}\n`);
  if (failed.length > 0) process.exitCode = 1;
  else if (trashed.length === 0 && options.json !== true) process.stdout.write("The trash is empty.\n");
}

async function restore(text: string, options: TrashOptions): Promise<void> {
  const id = idOf(text);
  await using opened = await sharesOf(options);
  const { shares } = opened;
  const { directory, sizeBytes } = await shares.placements
    .get(printVolumeId(id))
    .volumes.restore(newCall(), id.name);
  process.stdout.write(
    `${printVolumeId(id)} is back in ${directory}, with ${bytesText(sizeBytes)} promised.\n`,
  );
}

function idOf(text: string): VolumeId {
  const id = parseVolumeId(text);
  if (id !== undefined) return id;
  throw new BerthError(
    "invalid-argument",
    `${text} is no volume id of Berth: \`berth trash list\` shows them`,
  );
}

/** To be closed however the command ends: a connection that is open keeps the process from ending. */
async function sharesOf({ config, driverName }: TrashOptions) {
  const { readConfig } = await import("./config/config.ts");
  const { openShares } = await import("./driver/shares.ts");
  const read = readConfig(config);
  const shares = openShares(read, { cluster: read.cluster, driver: driverName }, silentLog);
  return { shares, [Symbol.asyncDispose]: () => shares.close() };
}

function newCall(): Call {
  return { signal: new AbortController().signal, effects: new Effects(), log: warningsOnStderr };
}

const warningsOnStderr: Log = {
  ...silentLog,
  warn: (message) => void process.stderr.write(`berth: ${message}\n`),
};

const meanings: Readonly<Record<TrashedVolume["state"], string>> = {
  kept: "kept until",
  due: "being removed since",
  gone: "removed, due since",
};

/** Of Kubernetes' own names, 63 and 253 bytes at most, it shows all. */
const claimBytesMax = 320;

/** By its claim a person knows a volume, whose id Kubernetes has forgotten. */
function textLine({ volume, deletedMs, purgeAfterMs, state }: TrashedVolume): string {
  const { id, claim, sizeBytes } = volume;
  return [
    printVolumeId(id),
    ...(claim === undefined ? [] : [`claim ${printable(`${claim.namespace}/${claim.name}`, claimBytesMax)}`]),
    bytesText(sizeBytes),
    `deleted ${time(deletedMs)}`,
    `${meanings[state]} ${time(purgeAfterMs)}`,
  ].join("  ");
}

function jsonLine({ volume, deletedMs, purgeAfterMs, state }: TrashedVolume): string {
  return JSON.stringify({
    volumeId: printVolumeId(volume.id),
    ...(volume.claim && { claim: volume.claim }),
    directory: volume.directory,
    sizeBytes: `${volume.sizeBytes}`,
    deletedAt: time(deletedMs),
    purgeAfter: time(purgeAfterMs),
    state,
  });
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
