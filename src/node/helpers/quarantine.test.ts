import assert from "node:assert/strict";
import { test } from "node:test";
import { Quarantine } from "./quarantine.ts";

test("a volume is refused until its killed step has gone, and others of its server are not", async () => {
  const quarantine = new Quarantine(2);
  const gone = Promise.withResolvers<void>();
  quarantine.add({ volumeId: "a", server: "nas" }, gone.promise);
  assert.throws(() => quarantine.check({ volumeId: "a" }), { code: "aborted" });
  quarantine.check({ volumeId: "b", server: "nas" });
  gone.resolve();
  await gone.promise;
  quarantine.check({ volumeId: "a", server: "nas" });
});

test("a server with as many killed steps as may be refuses all its volumes, and no other server's", () => {
  const quarantine = new Quarantine(2);
  for (const volumeId of ["a", "b"]) quarantine.add({ volumeId, server: "nas" }, new Promise(() => {}));
  assert.throws(() => quarantine.check({ volumeId: "c", server: "nas" }), {
    code: "unavailable",
    message: /nas/,
  });
  quarantine.check({ volumeId: "c", server: "other" });
  quarantine.check({ volumeId: "c" });
});
