import type { NfsClient, OperationOptions } from "../client.ts";
import type { FileHandle, FileNode } from "../file.ts";
import { afterChange } from "../nfs-error.ts";
import type { NameBelow, Step, StepResult, StepsOutcome } from "../steps.ts";

/** A file that a step has made or found, and later ones are about as well. */
interface Known {
  readonly at: NameBelow;
  readonly node: FileNode;
}

/** Steps one after the other, each a request or several: v3 has no compounds. */
export async function inOrder(
  client: NfsClient,
  steps: readonly Step[],
  options: OperationOptions = {},
): Promise<StepsOutcome> {
  const known: Known[] = [];
  const results: StepResult[] = [];
  for (const step of steps) {
    const { path = options.path, newPath = options.newPath } = step;
    const own = {
      ...options,
      ...(path === undefined ? {} : { path }),
      ...(newPath === undefined ? {} : { newPath }),
    };
    try {
      results.push(await run(client, step, known, own));
    } catch (failure) {
      return { results, failure };
    }
  }
  return { results };
}

async function run(
  client: NfsClient,
  step: Step,
  known: Known[],
  options: OperationOptions,
): Promise<StepResult> {
  switch (step.kind) {
    case "lookup":
      return { attributes: (await nodeAt(client, step.at, options)).attributes };
    case "read": {
      const node = await nodeAt(client, step.at, options);
      return { ...node, ...(await client.read(node.handle, 0n, step.lengthBytes, options)) };
    }
    case "mkdir": {
      const directory = await directoryOf(client, step.at, options);
      const { attributes } = await client.mkdir(directory, step.at.name, step.attributes, options);
      return { attributes };
    }
    case "create":
      known.push({ at: step.at, node: await createWhole(client, step, options) });
      return {};
    case "link": {
      const node = knownAt(known, step.from) ?? (await nodeAt(client, step.from, options));
      known.push({ at: step.from, node });
      const directory = await directoryOf(client, step.to, options);
      await client.link(node.handle, directory, step.to.name, options);
      return {};
    }
    case "remove": {
      const directory = await directoryOf(client, step.at, options);
      const isFile = (knownAt(known, step.at)?.attributes.type ?? "directory") !== "directory";
      if (step.type === "directory") await client.rmdir(directory, step.at.name, options);
      else if (isFile) await client.remove(directory, step.at.name, options);
      else await client.removeFile(directory, step.at.name, options);
      return {};
    }
  }
}

async function createWhole(
  client: NfsClient,
  { at, attributes, content }: Extract<Step, { kind: "create" }>,
  options: OperationOptions,
): Promise<FileNode> {
  const directory = await directoryOf(client, at, options);
  const node = await client.create(directory, at.name, attributes, undefined, options);
  try {
    for (let doneBytes = 0; doneBytes < content.length; ) {
      const rest = content.subarray(doneBytes);
      const written = await client.write(node.handle, BigInt(doneBytes), rest, "file-sync", options);
      doneBytes += written.writtenBytes;
    }
  } catch (error) {
    throw afterChange(error);
  }
  return node;
}

async function nodeAt(
  client: NfsClient,
  { directory, way, name }: NameBelow,
  options: OperationOptions,
): Promise<FileNode> {
  return await client.resolve(directory, [...way, name], options);
}

async function directoryOf(
  client: NfsClient,
  { directory, way }: NameBelow,
  options: OperationOptions,
): Promise<FileHandle> {
  return way.length === 0 ? directory : (await client.resolve(directory, way, options)).handle;
}

function knownAt(known: readonly Known[], { directory, way, name }: NameBelow): FileNode | undefined {
  return known.find(({ at }) => {
    return at.directory === directory && at.name === name && String(at.way) === String(way);
  })?.node;
}
