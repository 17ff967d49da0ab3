import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };

/** What the driver calls itself in GetPluginInfo, and `berth version` prints. */
export const version = manifest.version;

export function versionCommand(): Command {
  return new Command("version")
    .description("print the version of Berth and of Node.js")
    .action(() => void process.stdout.write(`berth ${version} (Node.js ${process.versions.node})\n`));
}
