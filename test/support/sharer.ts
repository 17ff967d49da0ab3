import { systemClock } from "../../src/core/clock.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import type { Share } from "../../src/share/share.ts";
import type { ShareContext } from "../../src/volumes/context.ts";
import { Ledger } from "../../src/volumes/ledger/ledger.ts";
import { parseOvercommit } from "../../src/volumes/overcommit.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { owner } from "./volume-fixture.ts";

/** One of several that work on a share, as a process of its own would see it. */
export interface Sharer {
  readonly context: ShareContext;
  readonly volumes: ShareVolumes;
  readonly ledger: Ledger;
}

/** @param share is given a capacity of 1000 bytes */
export function sharer(share: Share, ratio = "2"): Sharer {
  const context: ShareContext = {
    share: withCapacity(share, 1000n),
    owner,
    clock: systemClock,
    newNonce: randomNonce,
    overcommit: parseOvercommit(ratio),
  };
  return { context, volumes: new ShareVolumes(context), ledger: Ledger.of(context) };
}

function withCapacity(share: Share, totalBytes: bigint): Share {
  const space = { totalBytes, availableBytes: totalBytes, totalInodes: 1n, availableInodes: 1n };
  return new Proxy(share, {
    get(target, key) {
      if (key === "space") return async () => space;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
