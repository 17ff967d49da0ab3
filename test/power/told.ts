/** What the process on a machine that loses power has told of its volumes, line by line, and what is known by it. */

/** `begin` before a call, `done` after its answer. */
export type Line = readonly [
  kind: "begin" | "done",
  share: string,
  what: "create" | "expand" | "delete",
  name: string,
  sizeBytes: number,
];

export interface Known {
  readonly share: string;
  readonly name: string;
  /** What was begun has had no answer; it may have been done, or not, or in part. */
  readonly state: "creating" | "there" | "expanding" | "deleting" | "gone";
  /** At least. */
  readonly sizeBytes: number;
}

const states = {
  begin: { create: "creating", expand: "expanding", delete: "deleting" },
  done: { create: "there", expand: "there", delete: "gone" },
} as const;

export class Told {
  readonly #known = new Map<string, Known>();

  get all(): readonly Known[] {
    return [...this.#known.values()];
  }

  hear([kind, share, what, name, sizeBytes]: Line): void {
    const before = this.#known.get(name)?.sizeBytes ?? 0;
    const state = states[kind][what];
    this.#known.set(name, { share, name, state, sizeBytes: kind === "done" ? sizeBytes : before });
  }
}
