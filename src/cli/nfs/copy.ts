import { hasCode } from "../../core/errors.ts";
import type { FileNode, NfsClient } from "../../nfs/index.ts";
import { type CopyReport, copyTree } from "../../nfs/trees/copy.ts";
import { walkTree } from "../../nfs/trees/walk.ts";
import { isDirectory, type RemoveOptions } from "./change.ts";
import { cutShort } from "./left.ts";
import { nodeOf, openHolder, openTarget, type Place, placeOf, unlessMissing } from "./opened.ts";
import { entriesText, printLine } from "./output.ts";
import { report, type Total } from "./progress.ts";
import { cleanUpMsMax, FailureList, type Work } from "./run.ts";
import { sameFile } from "./same-file.ts";
import { parseTarget } from "./target.ts";

export interface CopyCommandOptions extends RemoveOptions {
  /** Goes on where an earlier run was cut. */
  readonly resume?: boolean;
}

export async function copy(
  source: string,
  target: string,
  options: CopyCommandOptions,
  work: Work,
): Promise<void> {
  const { signal, progress } = work;
  await using from = await openTarget(source, work);
  await using to = await openHolder(target, work);
  const node = await nodeOf(from, signal);
  if (node.attributes.type === "directory" && options.recursive !== true) {
    throw isDirectory(source, "copy");
  }
  const place = await placeOf(to, signal);
  // Within one export the source is reached through the target's connection: only so the server can copy.
  const sameServer = parseTarget(source).host === parseTarget(target).host;
  const same = sameServer && (await sameFile(to.client, node, signal));
  const client = same ? to.client : from.client;
  const failures = new FailureList(options.json, progress);
  const { type, sizeBytes } = node.attributes;
  progress.begin("copied", type === "file" ? { sizeBytes } : undefined);
  await using counting = countedWhile(client, node, options, work);
  const copyOptions = {
    signal,
    resume: options.resume === true,
    onProgress: progress.show,
    onFailure: failures.note,
  };
  const copyTarget = { client: to.client, directory: place.directory.handle, name: place.name };
  const made = await copyTree(client, node, copyTarget, copyOptions).catch(async (reason: unknown) => {
    throw await unfinished(reason, to.client, place, options, work);
  });
  await counting[Symbol.asyncDispose]();
  progress.end();
  report(options.json, made, () => printCopied(made));
  failures.check("copied");
}

/** What failed, or Ctrl-C; and that a part is there, if one is. */
async function unfinished(
  reason: unknown,
  client: NfsClient,
  { directory, name, existing }: Place,
  { recursive, resume }: CopyCommandOptions,
  work: Work,
): Promise<unknown> {
  const left = `what was copied stays, a file perhaps in part: cp${recursive ? " -r" : ""} --resume goes on`;
  if (work.signal.aborted) return cutShort(work, reason, left);
  const untouched = resume !== true && existing !== undefined;
  if (untouched || hasCode(reason, "invalid-argument")) return reason;
  const look = unlessMissing(client.lookup(directory.handle, name, { timeoutMs: cleanUpMsMax }));
  const isThere = await look.then(
    (found) => found !== undefined,
    () => true, // for all that we know
  );
  return isThere ? cutShort(work, reason, left) : reason;
}

/**
 * Counts a tree beside its copying, which takes many times as long, for whoever watches: then the time that is left is
 * known. Not where a part is there already: that goes so fast that the rest would be told wrong.
 */
function countedWhile(
  client: NfsClient,
  node: FileNode,
  { resume }: CopyCommandOptions,
  { signal, progress }: Work,
): AsyncDisposable {
  const stop = new AbortController();
  const counts = progress.shown && resume !== true && node.attributes.type === "directory";
  const counted = counts
    ? countTree(client, node, AbortSignal.any([signal, stop.signal])).then(
        (total) => progress.expect(total),
        () => {}, // the copy tells what is wrong
      )
    : Promise.resolve();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await counted;
    },
  };
}

/** As a copy counts: each name of a file, and no devices, sockets or pipes. */
async function countTree(client: NfsClient, node: FileNode, signal: AbortSignal): Promise<Total> {
  const total = { entries: 1, sizeBytes: 0n };
  for await (const { entries } of walkTree(client, node, { signal, onFailure: () => {} })) {
    for (const { attributes } of entries) {
      if (["file", "directory", "symlink"].includes(attributes.type)) total.entries++;
      if (attributes.type === "file") total.sizeBytes += attributes.sizeBytes;
    }
  }
  return total;
}

const wayTexts = [
  ["clone", "clone (the server shares the blocks)"],
  ["copy", "copy (the server copies)"],
  ["read-write", "read-write (through this machine)"],
  ["kept", "kept (from an earlier run)"],
] as const;

function printCopied({ entries, ways, specials, unknownOwners }: CopyReport): void {
  const used = wayTexts.flatMap(([way, text]) => (ways[way] > 0 ? [`${text}: ${ways[way]}`] : []));
  printLine(`${entriesText(entries)} copied; files by ${used.join(", ") || "none"}`);
  if (specials > 0) printLine(`${entriesText(specials)} left out: devices, sockets, pipes`);
  if (unknownOwners > 0) {
    const have = unknownOwners === 1 ? "has" : "have";
    printLine(
      `${entriesText(unknownOwners)} ${have} another owner: the server names owners that are no numbers`,
    );
  }
}
