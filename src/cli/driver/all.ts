import { Command } from "commander";
import { addNodeOptions, addServeOptions, type NodeOptions } from "../options.ts";

/** `berth all` */
export function allCommand(): Command {
  const command = new Command("all")
    .summary("serve controller and node in one process: for clusters of one node")
    .description(
      "Serves all of CSI's services in one process, on one endpoint: for clusters of one node, and for tests. " +
        "With more nodes, run `berth controller` once and `berth node` on each.",
    );
  return addNodeOptions(addServeOptions(command)).action(async (options: NodeOptions) => {
    const { serve } = await import("./serve.ts");
    const { startController } = await import("./controller-half.ts");
    const { startNode } = await import("./node-half.ts");
    await serve(options, [startController, startNode(options)]);
  });
}
