import { dirname, resolve } from "node:path";
import { parseDurationMs } from "../../core/duration.ts";
import type { ObjectName } from "../lab.ts";
import type { Keys, ManifestDocument } from "../orchestrator/manifests/manifest-document.ts";
import { readObjects } from "../orchestrator/manifests/manifests.ts";
import {
  type Action,
  type Expectation,
  type Scenario,
  type Step,
  serverActions,
  titleOf,
} from "./scenario.ts";

type Path = readonly (string | number)[];

const withinMsDefault = 30_000;
const expectKeys: Keys = { exitCode: "any", stdout: "any", stderr: "any" };
const scenarioKeys: Keys = {
  ...{ apiVersion: "any", kind: "any", metadata: { name: "any" } },
  steps: {
    ...{ say: "any", within: "any" },
    ...{ apply: "any", delete: "any", server: "any", restart: "any", reboot: "any" },
    scale: { deployment: "any", replicas: "any" },
    wait: { bound: "any", running: "any", gone: "any" },
    exec: { pod: "any", deployment: "any", command: "any", expect: expectKeys },
    node: { name: "any", command: "any", expect: expectKeys },
    expect: { warning: { on: "any", message: "any" } },
  },
};
const actionKeys: readonly string[] = [
  ...["apply", "scale", "delete", "wait", "exec", "node", "expect", "server", "restart", "reboot"],
] as const;

/** @throws BerthError `invalid-argument` with file, line and key */
export function readScenario(document: ManifestDocument): Scenario {
  document.refuseUnknownKeys(scenarioKeys);
  const count = document.length(["steps"]);
  if (count === 0) throw document.error(["steps"], "is missing", "give at least one step");
  const steps = Array.from({ length: count }, (_, index) => new StepReader(document, index).read());
  return { name: document.name, steps };
}

class StepReader {
  readonly #document: ManifestDocument;
  readonly #path: Path;

  constructor(document: ManifestDocument, index: number) {
    this.#document = document;
    this.#path = ["steps", index];
  }

  read(): Step {
    const keys = this.#document.keysOf(this.#path);
    const actions = keys.filter((key) => actionKeys.includes(key));
    const [key, second] = actions;
    if (key === undefined || second !== undefined) {
      const what = key === undefined ? "does nothing" : `does two things: ${actions.join(" and ")}`;
      throw this.#document.error(this.#path, what, `use one of ${actionKeys.join(", ")}`);
    }
    const action = this.#action(key);
    return {
      where: this.#document.where(this.#path),
      title: this.#document.optionalText([...this.#path, "say"]) ?? titleOf(action),
      action,
      withinMs: this.#within(),
    };
  }

  #action(key: string): Action {
    switch (key) {
      case "apply":
        return this.#apply();
      case "scale":
        return {
          kind: "scale",
          deployment: this.#text(["scale", "deployment"], "name a Deployment"),
          replicas: this.#count(["scale", "replicas"]),
        };
      case "delete":
        return { kind: "delete", object: this.#object(["delete"]) };
      case "wait":
        return this.#wait();
      case "exec":
        return this.#exec();
      case "node":
        return {
          kind: "node",
          node: this.#text(["node", "name"], "name a node, such as node-1"),
          command: this.#text(["node", "command"], "give a shell script"),
          expectation: this.#expectation(["node", "expect"]),
        };
      case "expect":
        return {
          kind: "warning",
          object: this.#object(["expect", "warning", "on"]),
          message: this.#pattern(["expect", "warning", "message"]) ?? /./,
        };
      case "server":
        this.#text(["server"], `use one of ${serverActions.join(", ")}`);
        return {
          kind: "server",
          what: this.#document.oneOf([...this.#path, "server"], serverActions, "stop"),
        };
      case "restart":
        return { kind: "restart", component: this.#text(["restart"], "name controller, or a node") };
      default:
        return { kind: "reboot", node: this.#text(["reboot"], "name a node, such as node-1") };
    }
  }

  /** Files are read before the first step: a mistake in the last one need not wait for the others. */
  #apply(): Action {
    const file = this.#text(["apply"], "name a file of manifests");
    return { kind: "apply", objects: readObjects([resolve(dirname(this.#document.file), file)]) };
  }

  #wait(): Action {
    const path = [...this.#path, "wait"];
    if (!this.#document.isMap(path)) {
      this.#document.oneOf(path, ["settled"], "settled");
      return { kind: "wait", until: "settled" };
    }
    const [until, second] = this.#document.keysOf(path);
    if (second !== undefined) throw this.#document.error(path, "waits for two things", "make it two steps");
    if (until === "gone") return { kind: "wait", until, object: this.#object(["wait", "gone"]) };
    if (until === "bound" || until === "running") {
      return { kind: "wait", until, name: this.#text(["wait", until], "give a name") };
    }
    throw this.#document.error(path, "waits for nothing", "use settled, bound, running or gone");
  }

  #exec(): Action {
    const pod = this.#optionalText(["exec", "pod"]);
    const deployment = this.#optionalText(["exec", "deployment"]);
    if ((pod === undefined) === (deployment === undefined)) {
      throw this.#document.error([...this.#path, "exec"], "runs nowhere", "name a pod or a deployment");
    }
    const command = this.#text(["exec", "command"], "give a shell script");
    return { kind: "exec", pod, deployment, command, expectation: this.#expectation(["exec", "expect"]) };
  }

  #expectation(path: Path): Expectation {
    return {
      exitCode: this.#document.count([...this.#path, ...path, "exitCode"], 0),
      stdout: this.#pattern([...path, "stdout"]),
      stderr: this.#pattern([...path, "stderr"]),
    };
  }

  #within(): number {
    const text = this.#optionalText(["within"]);
    if (text === undefined) return withinMsDefault;
    try {
      return parseDurationMs(text);
    } catch {
      throw this.#document.error([...this.#path, "within"], `is ${JSON.stringify(text)}`, "write 30s or 2m");
    }
  }

  #object(path: Path): ObjectName {
    const text = this.#text(path, "write Kind/name, such as PersistentVolumeClaim/data");
    const slash = text.indexOf("/");
    const kinds = ["CSIDriver", "StorageClass", "PersistentVolumeClaim", "PersistentVolume"] as const;
    const kind = [...kinds, "Deployment" as const, "Pod" as const].find(
      (each) => each === text.slice(0, slash),
    );
    if (kind !== undefined && text.length > slash + 1) return { kind, name: text.slice(slash + 1) };
    const remedy = "write Kind/name, such as PersistentVolumeClaim/data";
    throw this.#document.error([...this.#path, ...path], `is ${JSON.stringify(text)}`, remedy);
  }

  #pattern(path: Path): RegExp | undefined {
    const text = this.#optionalText(path);
    if (text === undefined) return undefined;
    try {
      return new RegExp(text, "m");
    } catch {
      const remedy = "write a regular expression";
      throw this.#document.error([...this.#path, ...path], `is ${JSON.stringify(text)}`, remedy);
    }
  }

  #text(path: Path, remedy: string): string {
    return this.#document.text([...this.#path, ...path], remedy);
  }

  #optionalText(path: Path): string | undefined {
    return this.#document.optionalText([...this.#path, ...path]);
  }

  #count(path: Path): number {
    this.#text(path, "give a whole number");
    return this.#document.count([...this.#path, ...path], 0);
  }
}
