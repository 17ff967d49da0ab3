import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };

/** What the driver calls itself in GetPluginInfo, and `berth version` prints. */
export const version = manifest.version;

/** `berth 1.2.3 (Node.js 24.1.0)` */
export const versionText = `berth ${version} (Node.js ${process.versions.node})`;

export function versionCommand(): Command {
  return new Command("version")
    .description("print the version of Berth and of Node.js")
    .action(() => void process.stdout.write(`${versionText}\n`));
}
