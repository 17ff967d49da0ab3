/**
 * Does something to each of many, at most so many at a time; the results are in the order of the items. After a
 * failure nothing more is begun, and it is thrown when what runs has ended.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  inFlightMax: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries(); // each worker takes the next
  let hasFailed = false;
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) {
      if (hasFailed) return;
      try {
        results[index] = await work(item);
      } catch (reason) {
        hasFailed = true;
        throw reason;
      }
    }
  };
  const workers = Array.from({ length: Math.min(inFlightMax, items.length) }, worker);
  for (const outcome of await Promise.allSettled(workers)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  return results;
}
