import assert from "node:assert/strict";
import { NfsError } from "../../src/nfs/index.ts";

/** Why it was refused. */
export async function refusal(work: Promise<unknown>): Promise<NfsError> {
  const reason: unknown = await work.then(
    () => assert.fail("it was not refused"),
    (error: unknown) => error,
  );
  assert.ok(reason instanceof NfsError, String(reason));
  return reason;
}
