/** What `berth lab run` is to do: a document of kind LabScenario, beside the manifests. */
import type { ObjectName } from "../lab.ts";
import type { LabObject } from "../orchestrator/objects.ts";

export const scenarioKind = "LabScenario";

/** What a command has to give. */
export interface Expectation {
  readonly exitCode: number;
  readonly stdout: RegExp | undefined;
  readonly stderr: RegExp | undefined;
}

export type Action =
  | { readonly kind: "apply"; readonly objects: readonly LabObject[] }
  | { readonly kind: "scale"; readonly deployment: string; readonly replicas: number }
  | { readonly kind: "delete"; readonly object: ObjectName }
  | { readonly kind: "wait"; readonly until: "settled" }
  | { readonly kind: "wait"; readonly until: "bound" | "running"; readonly name: string }
  | { readonly kind: "wait"; readonly until: "gone"; readonly object: ObjectName }
  | {
      readonly kind: "exec";
      /** A pod's name, or a Deployment's for each of its pods. */
      readonly pod: string | undefined;
      readonly deployment: string | undefined;
      readonly command: string;
      readonly expectation: Expectation;
    }
  | {
      readonly kind: "node";
      readonly node: string;
      readonly command: string;
      readonly expectation: Expectation;
    }
  | { readonly kind: "warning"; readonly object: ObjectName; readonly message: RegExp }
  | { readonly kind: "server"; readonly what: ServerAction }
  | { readonly kind: "restart"; readonly component: string }
  | { readonly kind: "reboot"; readonly node: string };

export const serverActions = ["stop", "start", "crash", "pause", "resume"] as const;
export type ServerAction = (typeof serverActions)[number];

export interface Step {
  /** `file:line`. */
  readonly where: string;
  /** As a person would say it, in one line. */
  readonly title: string;
  readonly action: Action;
  readonly withinMs: number;
}

export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** What a step does, in one line, where its author has not said it. */
export function titleOf(action: Action): string {
  switch (action.kind) {
    case "apply":
      return `apply ${action.objects.map(({ kind, name }) => `${kind}/${name}`).join(", ")}`;
    case "scale":
      return `scale ${action.deployment} to ${action.replicas}`;
    case "delete":
      return `delete ${action.object.kind}/${action.object.name}`;
    case "wait":
      return `wait until ${waitText(action)}`;
    case "exec":
      return `in ${action.pod ?? `each pod of ${action.deployment}`}: ${action.command.trim()}`;
    case "node":
      return `on ${action.node}: ${action.command.trim()}`;
    case "warning":
      return `expect a warning on ${action.object.kind}/${action.object.name}`;
    case "server":
      return `${action.what} the NFS server`;
    case "restart":
      return `restart the driver of ${action.component}`;
    case "reboot":
      return `reboot ${action.node}`;
  }
}

function waitText(action: Extract<Action, { kind: "wait" }>): string {
  switch (action.until) {
    case "settled":
      return "all is settled";
    case "gone":
      return `gone: ${action.object.kind}/${action.object.name}`;
    default:
      return `${action.until}: ${action.name}`;
  }
}
