import assert from "node:assert/strict";
import { test } from "node:test";
import { Quarantine } from "./quarantine.ts";

test("a volume is refused until its killed step has gone, and others on its storage are not", async () => {
  const quarantine = new Quarantine(2);
  const gone = Promise.withResolvers<void>();
  quarantine.add({ volumeId: "a", storage: "nas" }, gone.promise);
  assert.throws(() => quarantine.check({ volumeId: "a" }), { code: "aborted" });
  quarantine.check({ volumeId: "b", storage: "nas" });
  gone.resolve();
  await gone.promise;
  quarantine.check({ volumeId: "a", storage: "nas" });
});

test("storage with as many killed steps as may be refuses all its volumes, and no other's", () => {
  const quarantine = new Quarantine(2);
  for (const volumeId of ["a", "b"]) quarantine.add({ volumeId, storage: "nas" }, new Promise(() => {}));
  assert.throws(() => quarantine.check({ volumeId: "c", storage: "nas" }), {
    code: "unavailable",
    message: /nas/,
  });
  quarantine.check({ volumeId: "c", storage: "other" });
  quarantine.check({ volumeId: "c" });
});
