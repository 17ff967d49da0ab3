import type { Share, Step } from "../../src/share/share.ts";
import { inTurn, isChange, outcomeOf } from "../../src/share/steps.ts";

/** The operations that change something. */
const mutating: ReadonlySet<string> = new Set([
  "createFile",
  "link",
  "makeDirectory",
  "setAttributes",
  "rename",
  "removeFile",
  "removeDirectory",
  "removeTree",
]);

/** What happens to one changing step. */
export type Fate = "done" | "not done" | "done, answer lost";

/**
 * A share whose changing steps ask before they are taken.
 * @param decide gets the step's number, from 0; "not done" and "answer lost" throw `error` to the caller
 * @param together lists of steps are one step, as where they are one request
 */
export function hookedShare(
  share: Share,
  decide: (step: number, operation: string) => Fate | Promise<Fate>,
  error: () => Error,
  together = false,
): Share {
  let steps = 0;
  const hooked: Share = new Proxy(share, {
    get(target, key) {
      // One by one: so what comes between them is tried as well.
      if (key === "inOrder" && !together) return (several: readonly Step[]) => inTurn(hooked, several);
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function") return member;
      if (key === "inOrder") {
        return async (several: readonly Step[]) => {
          const fate = several.some(isChange) ? await decide(steps++, key) : "done";
          if (fate === "not done") return outcomeOf([], error());
          const outcome = await target.inOrder(several);
          return fate === "done" ? outcome : outcomeOf([], error());
        };
      }
      if (typeof key !== "string" || !mutating.has(key)) return member.bind(target);
      return async (...args: unknown[]) => {
        const fate = await decide(steps++, key);
        if (fate === "not done") throw error();
        const result: unknown = await member.apply(target, args);
        if (fate === "done, answer lost") throw error();
        return result;
      };
    },
  });
  return hooked;
}
