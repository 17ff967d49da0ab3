/** `--config FILE` of the lab: the driver's configuration, which knows neither address nor path of the lab's storage. */
import { BerthError } from "../../core/errors.ts";
import type { DriverConfigOf } from "../../lab/open-lab.ts";
import type { SharedStorage } from "../../lab/site/site.ts";
import { type Config, parseConfig, readConfigText } from "../config/config.ts";

const serverWords = /\$\{server\}/g;
const shareWords = /\$\{share\}/g;

/** Of the same kind as what the lab will have: a mistake is found before machines are started. */
const standIns = { server: "lab.invalid", path: "/lab" };

/**
 * Reads and checks the file, in which `${server}` and `${share}` stand for the lab's.
 * @returns the text for one lab, in whose storage the directories that it names have been made
 * @throws BerthError `invalid-argument` with file, line and key
 */
export function readLabConfig(file: string): DriverConfigOf {
  const text = readConfigText(file);
  parseConfig(filled(text, standIns), file);
  return async ({ share, tier }) => {
    const { server, path } = share;
    if (server === undefined && text.search(serverWords) >= 0) {
      throw new BerthError(
        "failed-precondition",
        `${file} names \${server}, and the tier ${tier} has no NFS server: take another tier, or directories below \${share}`,
      );
    }
    const own = filled(text, { server: server ?? standIns.server, path });
    for (const directory of directoriesOf(parseConfig(own, file), share)) {
      await share.make(directory.path, directory);
    }
    return own;
  };
}

function filled(text: string, { server, path }: { readonly server: string; readonly path: string }): string {
  return text.replace(serverWords, () => server).replace(shareWords, () => path);
}

/** What the configuration names of the lab's storage, and whom it is for. */
function directoriesOf({ exports, directories }: Config, { server, path }: SharedStorage) {
  const all = [
    ...exports
      .filter((each) => each.server === server)
      .map(({ share, uid, gid }) => ({ path: share, uid, gid })),
    ...directories.map((each) => ({ path: each.path, uid: 0, gid: 0 })),
  ];
  return all.filter((each) => each.path === path || each.path.startsWith(`${path}/`));
}
