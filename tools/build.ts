/** Bundles the program into `dist/`, and leaves its compiled code beside it. */
import { rm } from "node:fs/promises";
import { bundle } from "./bundle.ts";
import { warmUp } from "./warm-up.ts";

await rm("dist", { recursive: true, force: true });
await bundle("dist/berth.js");
await warmUp("dist/berth.js");
