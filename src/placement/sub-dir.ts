import { BerthError } from "../core/errors.ts";
import type { SharePath } from "../share/share-path.ts";
import { parseDirectoryPath } from "../volumes/directory-path.ts";
import type { Claim } from "../volumes/volume.ts";
import { invalidParameter } from "./class-parameters.ts";

/** Whom a new volume is for: what the templates of a class can name. */
export interface ForWhom {
  /** The PersistentVolume's, which is the volume's own (`CreateVolumeRequest.name`). */
  readonly volumeName: string;
  /** Known where csi-provisioner runs with `--extra-create-metadata`. */
  readonly claim: Claim | undefined;
}

const values: Readonly<Record<string, (whom: ForWhom) => string | undefined>> = {
  "pvc.metadata.name": ({ claim }) => claim?.name,
  "pvc.metadata.namespace": ({ claim }) => claim?.namespace,
  "pv.metadata.name": ({ volumeName }) => volumeName,
};

/**
 * What nobody sees: control characters, breaks of lines, and what turns the direction of a text, so that a name
 * reads as another. The two joiners are spelling in Persian, in the languages of India, and in emoji.
 */
const unseen = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/**
 * The directory that `subDir` names, with its templates resolved. A value is one component or a part of one,
 * whatever is in it.
 * @throws BerthError `invalid-argument`
 */
export function subDirOf(template: string, whom: ForWhom): SharePath {
  refuseUnseen(template);
  const resolved = template.replaceAll(/\$\{([^}]*)\}/g, (_, name: string) => resolve(name, whom));
  if (resolved.includes("${")) {
    throw invalidParameter(
      "subDir",
      `${JSON.stringify(template)} has a template without an end`,
      "close it with }",
    );
  }
  refuseUnseen(resolved);
  try {
    return parseDirectoryPath(resolved);
  } catch (reason) {
    throw invalidParameter(
      "subDir",
      `${JSON.stringify(template)} is refused`,
      BerthError.from(reason).message,
    );
  }
}

const ofVolume = /\$\{pv\.metadata\.name\}/;
/** A component of its own: in `a-b` there is no telling where the namespace ends. */
const ofNamespace = /(^|\/)\$\{pvc\.metadata\.namespace\}(\/|$)/;

/** Whether claims of two namespaces can get the same directory, one after the other. */
export function isShared(template: string): boolean {
  return !ofVolume.test(template) && !ofNamespace.test(template);
}

function refuseUnseen(text: string): void {
  const [found] = unseen.exec(text) ?? [];
  if (found === undefined) return;
  const point = found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
  throw invalidParameter("subDir", `has the invisible character U+${point}`, "leave it out");
}

function resolve(name: string, whom: ForWhom): string {
  const find = Object.hasOwn(values, name) ? values[name] : undefined;
  if (find === undefined) {
    const known = Object.keys(values).map((each) => `\${${each}}`);
    throw invalidParameter(
      "subDir",
      `has the template \${${name}}, which Berth does not know`,
      `it knows ${known.join(", ")}`,
    );
  }
  const value = find(whom);
  if (value === undefined) {
    throw invalidParameter(
      "subDir",
      `needs \${${name}}, which the caller did not send`,
      "run csi-provisioner with --extra-create-metadata",
    );
  }
  if (value === "" || value === "." || value === ".." || /[/\0]|\$\{/.test(value)) {
    throw invalidParameter(
      "subDir",
      `gets ${JSON.stringify(value)} for \${${name}}`,
      "use a name that can be a directory's",
    );
  }
  return value;
}
