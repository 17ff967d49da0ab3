import { NodeNfsFixture } from "./fixture.ts";

let booted: Promise<NodeNfsFixture> | undefined;

/** One boot for all topics of a test file, with an export for inline volumes. */
export function sharedFixture(): Promise<NodeNfsFixture> {
  booted ??= NodeNfsFixture.boot(() => "ephemeral: {exports: [nas]}\n");
  return booted;
}
