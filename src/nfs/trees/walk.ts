import type { NfsClient } from "../client.ts";
import type { FileNode } from "../file.ts";
import { inFull, Traversal } from "./traversal.ts";
import { sizeOf, type TreeDirectory, type TreeEntry } from "./tree-directory.ts";
import { ProgressCounter, type TreeOptions } from "./tree-options.ts";

/** Some entries of one directory. */
export interface WalkPage {
  /** The directory, relative to where the walk began; `""` there. */
  readonly path: string;
  readonly entries: readonly TreeEntry[];
}

/**
 * Every entry below a directory, with attributes and handles, in parts of directories and in no order.
 * A symbolic link is told and not followed; so is a directory on another file system. Reading goes on while
 * the caller works, within the bounds of `treeLimits`, and stops when it leaves the loop.
 *
 *     for await (const { path, entries } of walkTree(client, client.root)) …
 *
 * @throws BerthError
 */
export async function* walkTree(
  client: NfsClient,
  root: FileNode,
  options: TreeOptions = {},
): AsyncGenerator<WalkPage> {
  const pages: Handover<WalkPage> = new Handover();
  const progress = new ProgressCounter(options.onProgress);
  const traversal = new Traversal<undefined>(
    client,
    {
      async page(directory: TreeDirectory<undefined>, entries) {
        await pages.give({ path: directory.path, entries });
        progress.add(entries.length, sizeOf(entries));
      },
      enter: async () => ({ data: undefined }),
      boundary: () => {},
      leave: async () => "done",
    },
    inFull,
    options,
  );
  const ended = traversal.run(root, undefined).finally(() => pages.end());
  ended.catch(() => {}); // thrown below, when the caller has taken what came before
  try {
    yield* pages.taken();
    await ended;
  } finally {
    traversal.stop(new Error("the walk was left"));
    pages.end();
    await ended.catch(() => {});
  }
}

/** Hands items from many givers to one taker; a giver waits until its item was taken. */
class Handover<T> {
  readonly #items: { readonly item: T; readonly taken: () => void }[] = [];
  #wake: () => void = () => {};
  #ended = false;

  give(item: T): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((taken) => {
      this.#items.push({ item, taken });
      this.#wake();
    });
  }

  /** Lets everybody go. */
  end(): void {
    this.#ended = true;
    for (const { taken } of this.#items) taken();
    this.#wake();
  }

  async *taken(): AsyncGenerator<T> {
    for (;;) {
      const first = this.#items.shift();
      if (first !== undefined) {
        try {
          yield first.item;
        } finally {
          first.taken(); // also when the taker leaves
        }
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
