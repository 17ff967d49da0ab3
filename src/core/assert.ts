import { AssertionError } from "node:assert";

/** States what the programmer guarantees. What the world does wrong is a `BerthError`, never this. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message, stackStartFn: assert });
}

/** The end of a `switch` over a union: a new member that nobody handles fails to compile. */
export function unreachable(value: never): never {
  throw new AssertionError({ message: `not handled: ${String(value)}`, stackStartFn: unreachable });
}
