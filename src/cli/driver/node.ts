import { Command } from "commander";
import { addNodeOptions, addServeOptions, type NodeOptions } from "../options.ts";

/** `berth node` */
export function nodeCommand(): Command {
  const command = new Command("node")
    .summary("serve CSI's Identity and Node: mounts volumes into pods (as root)")
    .description(
      "Serves CSI's Identity and Node services, beside node-driver-registrar on every node. It mounts volumes " +
        "where kubelet asks for them, below --kubelet-dir and nowhere else, and must run as root.",
    );
  return addNodeOptions(addServeOptions(command)).action(async (options: NodeOptions) => {
    const { serve } = await import("./serve.ts");
    const { startNode } = await import("./node-half.ts");
    await serve(options, [startNode(options)]);
  });
}
