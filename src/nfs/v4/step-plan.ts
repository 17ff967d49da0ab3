import type { FileAttributes, FileHandle, ReadResult } from "../file.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import type { NameBelow, Step, StepResult } from "../steps.ts";
import { copied } from "../taking.ts";
import { closeNew, openNew } from "./create.ts";
import { getfh, restorefh, savefh } from "./filehandle.ts";
import { getattr } from "./getattr.ts";
import { link } from "./link.ts";
import { lookup } from "./lookup.ts";
import { mkdir } from "./mkdir.ts";
import { wayTo, withoutWay } from "./name-below.ts";
import type { Operation } from "./operation.ts";
import { read } from "./read.ts";
import { remove } from "./remove.ts";
import type { Meaning } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";
import { verifyDirectory, verifyNoDirectory, verifySize } from "./verify.ts";
import { write } from "./write.ts";

/** One step as operations of a compound (RFC 8881 §16.2). */
export interface StepPlan {
  readonly operations: readonly Operation<unknown>[];
  readonly requestBytesMax: number;
  readonly replyBytesMax: number;
  /** What the operations gave, when all were done. @param end behind their results among those of the compound */
  readonly result: (results: readonly unknown[], end: number) => StepResult;
  readonly meaning: Meaning | undefined;
  /** A file that may be made, and not whole, when a compound ends. */
  readonly file: { readonly content: Uint8Array; readonly handleIndex: number } | undefined;
}

/** A name of the largest size, a handle or other arguments, and what is around them. */
const operationBytesMax = 256 + 128 + 16;
/** A code and a status; and `change_info4` with a bitmap behind those of a change (RFC 8881 §3.3.2). */
const [answerBytes, changeBytesMax] = [8, 40];
/** GETFH, GETATTR with owners of 64 bytes each, and OPEN, CLOSE and WRITE together. */
const [handleBytesMax, attributesBytesMax, writtenBytesMax] = [136, 320, 128];

interface More {
  /** What is beside `operationBytesMax` for each operation. */
  readonly requestBytes?: number;
  /** What is beside `answerBytes`, and `changeBytesMax` for a change. */
  readonly replyBytes?: number;
  readonly result?: StepPlan["result"];
  readonly meaning?: Meaning;
  readonly file?: StepPlan["file"];
}

function plan(operations: readonly Operation<unknown>[], changes: number, more: More): StepPlan {
  return {
    operations,
    requestBytesMax: operations.length * operationBytesMax + (more.requestBytes ?? 0),
    replyBytesMax: operations.length * answerBytes + changes * changeBytesMax + (more.replyBytes ?? 0),
    result: more.result ?? nothing,
    meaning: more.meaning,
    file: more.file,
  };
}

const none: StepResult = {};
const nothing = (): StepResult => none;

/** @param contentBytesMax of a new file that is written in the same compound */
export function planOf(step: Step, clientId: bigint, contentBytesMax: number): StepPlan {
  switch (step.kind) {
    case "lookup":
      return described(step.at, lookup(step.at.name), 0);
    case "mkdir":
      return described(step.at, mkdir(step.at.name, step.attributes), 1);
    case "read":
      return reading(step.at, step.lengthBytes);
    case "create":
      return creation(step, clientId, contentBytesMax);
    case "link": {
      const operations: Operation<unknown>[] = wayTo(step.from);
      operations.push(lookup(step.from.name), savefh, ...wayTo(step.to), link(step.to.name));
      return plan(operations, 1, {});
    }
    case "remove":
      return removal(step.at, step.type);
  }
}

/** @param last what makes the thing that is described the current one */
function described(at: NameBelow, last: Operation<void>, changes: number): StepPlan {
  const operations: Operation<unknown>[] = wayTo(at);
  operations.push(last, getattr);
  return plan(operations, changes, { replyBytes: attributesBytesMax, result: attributesIn });
}

function attributesIn(results: readonly unknown[], end: number): StepResult {
  return { attributes: results[end - 1] as FileAttributes };
}

function reading(at: NameBelow, lengthBytes: number): StepPlan {
  const operations: Operation<unknown>[] = wayTo(at);
  operations.push(lookup(at.name), getfh, getattr, read(0n, lengthBytes, copied));
  return plan(operations, 0, {
    replyBytes: handleBytesMax + attributesBytesMax + lengthBytes,
    // READ's word for a symbolic link (RFC 8881 §18.22.4), which is none on the way here
    meaning: { index: operations.length - 1, code: status.symlink, means: status.wrongType },
    result: contentIn,
  });
}

function contentIn(results: readonly unknown[], end: number): StepResult {
  const { data, eof } = results[end - 1] as ReadResult;
  const [handle, attributes] = [results[end - 3] as FileHandle, results[end - 2] as FileAttributes];
  return { handle, attributes, data, eof };
}

/**
 * OPEN, CLOSE and WRITE: it is closed before it is written, so a WRITE that fails leaves nothing open. A server may
 * write less than it was given and say OK; a VERIFY of the size then ends the compound before any later step.
 */
function creation(
  { at, attributes, content }: Extract<Step, { kind: "create" }>,
  clientId: bigint,
  contentBytesMax: number,
): StepPlan {
  const operations: Operation<unknown>[] = wayTo(at);
  operations.push(openNew(clientId, at.name, attributes), closeNew, getfh);
  const handleIndex = operations.length - 1;
  const isWrittenAtOnce = content.length > 0 && content.length <= contentBytesMax;
  if (isWrittenAtOnce) operations.push(write(0n, content, "file-sync"), verifySize(content.length));
  return plan(operations, 1, {
    requestBytes: isWrittenAtOnce ? content.length : 0,
    replyBytes: handleBytesMax + writtenBytesMax,
    file: { content, handleIndex },
  });
}

/** REMOVE takes files and empty directories: which of them the name is, is asked in the same compound. */
function removal(at: NameBelow, type: "file" | "directory"): StepPlan {
  const isFile = type === "file";
  const operations: Operation<unknown>[] = wayTo(at);
  operations.push(savefh, lookup(at.name), isFile ? verifyNoDirectory : verifyDirectory);
  const index = operations.length - 1;
  operations.push(restorefh, remove(at.name));
  const meaning = isFile
    ? { index, code: status.same, means: status.isdir }
    : { index, code: status.notSame, means: status.notdir };
  return plan(operations, 1, { meaning });
}

/** The same step without ways: of a few operations. */
export async function shortened(runner: CompoundRunner, step: Step, request: Request): Promise<Step> {
  if (step.kind !== "link") return { ...step, at: await withoutWay(runner, step.at, request) };
  const from = await withoutWay(runner, step.from, request);
  return { ...step, from, to: await withoutWay(runner, step.to, request) };
}
