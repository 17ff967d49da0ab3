import type { AttributeChanges, FileAttributes, FileHandle, FileName, ReadResult } from "./file.ts";

/** A name in the directory that `way` leads to from another. */
export interface NameBelow {
  readonly directory: FileHandle;
  readonly way: readonly FileName[];
  readonly name: FileName;
}

/** How errors name what something is about, in place of the options' own paths. */
interface Paths {
  readonly path?: string;
  readonly newPath?: string;
}

/** A name to be changed. */
export interface Renaming extends Paths {
  readonly from: NameBelow;
  readonly to: NameBelow;
}

/** One of several operations that are asked for together. */
export type Step = Paths &
  (
    | { readonly kind: "lookup"; readonly at: NameBelow }
    /** The first bytes of a file: at most `NfsFeatures.readBytesMax`. */
    | { readonly kind: "read"; readonly at: NameBelow; readonly lengthBytes: number }
    | { readonly kind: "mkdir"; readonly at: NameBelow; readonly attributes: AttributeChanges }
    /** A new file with all of its content, durably. */
    | {
        readonly kind: "create";
        readonly at: NameBelow;
        readonly attributes: AttributeChanges;
        readonly content: Uint8Array;
      }
    | { readonly kind: "link"; readonly from: NameBelow; readonly to: NameBelow }
    /** Anything but a directory, or an empty directory. */
    | { readonly kind: "remove"; readonly at: NameBelow; readonly type: "file" | "directory" }
  );

/** What a step gives: of what was looked up, made or read the attributes, of what was read its handle and content too. */
export interface StepResult extends Partial<ReadResult> {
  readonly attributes?: FileAttributes;
  readonly handle?: FileHandle;
}

/** How far a list of steps came. */
export interface StepsOutcome {
  /** Of the steps that were done: so many from the first. */
  readonly results: readonly StepResult[];
  /** Of the step behind those. Where an answer was lost, it and later ones may be done as well. */
  readonly failure?: unknown;
}

/** Whether a step changes nothing. */
export function isLook({ kind }: Step): boolean {
  return kind === "lookup" || kind === "read";
}
