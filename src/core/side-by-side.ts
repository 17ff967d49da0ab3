/**
 * `Promise.all` that never leaves work running behind: a failure comes when all have ended, the first in order.
 * Only then can the caller undo what was done.
 */
export async function sideBySide<T extends readonly unknown[]>(
  work: {
    readonly [K in keyof T]: Promise<T[K]>;
  },
): Promise<T> {
  try {
    return await Promise.all(work);
  } catch {
    await Promise.allSettled(work);
    return await Promise.all(work); // fails as the first in order did
  }
}
