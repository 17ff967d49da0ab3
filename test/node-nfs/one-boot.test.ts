/** Topics that leave guests as they found them, or nearly so, share them: the last one moves the export. */
import { after, beforeEach } from "node:test";
import { sharedFixture } from "./shared-fixture.ts";
import "./stats.ts";
import "./inline.ts";
import "./repair.ts";

beforeEach(async () => await (await sharedFixture()).node.clear());
after(async () => await (await sharedFixture())[Symbol.asyncDispose]());
