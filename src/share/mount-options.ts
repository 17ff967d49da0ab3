import { BerthError, hasCode } from "../core/errors.ts";
import {
  dangers,
  type KnownOption,
  knownOptions,
  type NfsMountVersion,
  nfsMountVersions,
} from "./mount-option-table.ts";

/**
 * The one grammar of what may be asked of a volume's mount: by the configuration, a StorageClass, a
 * PersistentVolume. The controller refuses with it at creation what the node would refuse at a mount. Options may
 * hold secrets: no message repeats a value, or a text that is no option's name.
 */
export interface PlacedOption {
  readonly text: string;
  /** Where it stands, for messages: the second (2) `of mountOptions of the StorageClass's parameters`. */
  readonly nth: number;
  readonly of: string;
}

/** The options of a mount, layers merged: what stands later replaces what stood earlier on its topic. */
export interface NfsOptions {
  /** As mount(8) takes them, without version. */
  readonly nfs: readonly string[];
  readonly version: NfsMountVersion | undefined;
  /** The kernel's general ones (`ro`, `noexec`, …), in order. */
  readonly general: readonly PlacedOption[];
  /** The value of an option that has one. */
  readonly valueOf: (name: string) => string | undefined;
  readonly has: (text: string) => boolean;
}

/**
 * `hard,timeo=600`, as mount(8) has it after `-o`: a comma within quotes belongs to its option, as in SELinux contexts.
 * @param of where they stand: `of mountOptions of …`
 */
export function optionsIn(text: string, of: string): PlacedOption[] {
  return splitOptions(text).map((each, index) => ({ text: each, nth: index + 1, of }));
}

/** The capability's mount flags, each of one option or several. */
export function optionsOfFlags(flags: readonly string[]): PlacedOption[] {
  const of = "mount flag (spec.mountOptions of the PV, mountOptions of the class)";
  return flags.flatMap((flag, index) => splitOptions(flag).map((text) => ({ text, nth: index + 1, of })));
}

/**
 * @param layers a class's, a PersistentVolume's, …
 * @throws BerthError `invalid-argument` for an option that is unknown, dangerous, or contradicts another of its layer
 */
export function mergeOptions(layers: readonly (readonly PlacedOption[])[]): NfsOptions {
  const merged = new Map<string, string>();
  const general: PlacedOption[] = [];
  for (const layer of layers) {
    const here = new Map<string, Understood>();
    for (const option of layer) {
      const { known, ...understood } = understand(option);
      if (known.kind === "general") general.push(option);
      if (known.kind === "nfs") add(here, known.topic, understood);
    }
    for (const [topic, { meaning }] of here) merged.set(topic, meaning);
  }
  const version = merged.get("vers");
  merged.delete("vers");
  const nfs = [...merged.values()];
  return {
    nfs,
    version: nfsMountVersions.find((each) => `vers=${each}` === version),
    general,
    has: (text) => nfs.includes(text),
    valueOf: (name) => nfs.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1),
  };
}

/** Why no NFS mount can have the options, with the remedy; undefined where one can. */
export function nfsOptionsProblem(layers: readonly (readonly PlacedOption[])[]): string | undefined {
  return problemIn(() => mergeOptions(layers));
}

/** Why no bind mount can have the options, with the remedy; undefined where one can. */
export function generalOptionsProblem(options: readonly PlacedOption[]): string | undefined {
  return problemIn(() => checkGeneralOptions(options));
}

/** @throws BerthError `invalid-argument` for an option that is not the kernel's own, of every mount */
export function checkGeneralOptions(options: readonly PlacedOption[]): void {
  const wrong = options.find(({ text }) => knownOptions.get(text)?.kind !== "general");
  if (wrong === undefined) return;
  throw refused(wrong, "is none that a directory volume can have", `use ${namesOf("general").join(", ")}`);
}

/** `noexec, the 2nd mount flag (…)`: its name only where it is one that Berth knows. */
export function placeOf(option: PlacedOption): string {
  const place = `the ${ordinal(option.nth)} ${option.of}`;
  return hasKnownName(option) ? `${nameAndValue(option)[0]}, ${place}` : place;
}

function hasKnownName(option: PlacedOption): boolean {
  const [name] = nameAndValue(option);
  return knownOptions.has(name) || dangers.has(name);
}

interface Understood {
  readonly option: PlacedOption;
  /** As mount(8) takes it. */
  readonly meaning: string;
}

function understand(option: PlacedOption): Understood & { readonly known: KnownOption } {
  const [name, value] = nameAndValue(option);
  const danger = dangers.get(name);
  if (danger !== undefined) throw refused(option, danger, "leave it out");
  const known = knownOptions.get(name);
  if (known === undefined) {
    const names = [...namesOf("nfs"), ...namesOf("general")];
    throw refused(option, "is none that an NFS volume can have", `use ${names.join(", ")}`);
  }
  if (known.value === undefined && value !== undefined) {
    throw refused(option, "has a value, and can have none", `write ${name}`);
  }
  if (known.value?.fit(value ?? "") === false) {
    const cause = value === undefined ? "has no value" : "cannot have that value";
    throw refused(option, cause, `write ${name}= with ${known.value.help}`);
  }
  const meaning = known.meaning ?? (value === undefined ? name : `${known.topic}=${value}`);
  return { option, known, meaning };
}

function add(layer: Map<string, Understood>, topic: string, { option, meaning }: Understood): void {
  const before = layer.get(topic);
  if (before !== undefined && before.meaning !== meaning) {
    const [name] = nameAndValue(before.option);
    const cause = `contradicts ${name}, the ${ordinal(before.option.nth)}`;
    throw refused(option, cause, "leave one of them out");
  }
  layer.set(topic, { option, meaning });
}

function nameAndValue({ text }: PlacedOption): [name: string, value: string | undefined] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** What is no option in any place, such as a quote without its end, is left for `understand` to refuse. */
function splitOptions(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|[^,])+/g)]
    .map(([option]) => option.trim())
    .filter((option) => option !== "");
}

/** Without those that another name means too, and `lock` and `nolock` as `[no]lock`: an event holds no more. */
function namesOf(kind: KnownOption["kind"]): string[] {
  return [...knownOptions].flatMap(([name, known]) => {
    const isTold = name.startsWith("no") && knownOptions.has(name.slice(2));
    if (known.kind !== kind || known.meaning !== undefined || isTold) return [];
    return knownOptions.has(`no${name}`) ? [`[no]${name}`] : [name];
  });
}

const suffixes: Readonly<Record<string, string>> = { one: "st", two: "nd", few: "rd" };

/** `1st`, `2nd`, `11th` */
function ordinal(nth: number): string {
  return `${nth}${suffixes[new Intl.PluralRules("en", { type: "ordinal" }).select(nth)] ?? "th"}`;
}

function refused(option: PlacedOption, cause: string, remedy: string): BerthError {
  const comma = hasKnownName(option) ? "," : "";
  return new BerthError("invalid-argument", `${placeOf(option)}${comma} ${cause}: ${remedy}`);
}

function problemIn(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (reason) {
    if (!hasCode(reason, "invalid-argument")) throw reason;
    return BerthError.from(reason).message;
  }
}
