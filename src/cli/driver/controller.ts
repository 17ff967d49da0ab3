import { Command } from "commander";
import { addServeOptions, type ServeOptions } from "../options.ts";

/** `berth controller` */
export function controllerCommand(): Command {
  const command = new Command("controller")
    .summary("serve CSI's Identity and Controller: creates, deletes and lists volumes")
    .description(
      "Serves CSI's Identity and Controller services, beside csi-provisioner and csi-resizer. It creates, " +
        "deletes, grows and lists volumes, and empties the trash. It mounts nothing.",
    );
  return addServeOptions(command).action(async (options: ServeOptions) => {
    const { serve } = await import("./serve.ts");
    const { startController } = await import("./controller-half.ts");
    await serve(options, [startController]);
  });
}
