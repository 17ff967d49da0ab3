import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import { type CallHook, ConnectionPerCall, KeptConnection } from "../calls.ts";
import { DriverProcess } from "../machine/driver-process.ts";
import { listening } from "../machine/listening.ts";
import { NodeMachine } from "../machine/node-machine.ts";
import { Pods } from "../machine/pods.ts";
import { run } from "../machine/processes.ts";
import { Cluster } from "../orchestrator/cluster.ts";
import { Kubelet, type Note, type PodRuntime } from "../orchestrator/kubelet.ts";
import type { Manifests } from "../orchestrator/manifests.ts";
import { nodeFiles } from "../orchestrator/node-files.ts";
import { Provisioner } from "../orchestrator/provisioner.ts";

/** A node with all that runs on it. */
export interface LabNode {
  readonly machine: NodeMachine;
  readonly pods: Pods;
}

/** The machines of the lab, before anything of a cluster runs on them. */
export interface Machines {
  readonly nodes: readonly [LabNode, ...LabNode[]];
  readonly shareDirectory: string;
}

/** @param directory an empty one, on which all of the lab is to lie */
export async function bootMachines(directory: string, nodeCount: number): Promise<Machines> {
  const shareDirectory = join(directory, "share");
  mkdirSync(shareDirectory);
  // A file system of its own, as an NFS export is one: mount tables then tell it from everything else.
  await run("mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "share", shareDirectory);
  const [first, ...more] = await Promise.all(
    Array.from({ length: nodeCount }, (_, index) => bootNode(directory, `node-${index + 1}`)),
  );
  if (first === undefined) throw new BerthError("invalid-argument", "a lab needs a node");
  return { nodes: [first, ...more], shareDirectory };
}

async function bootNode(directory: string, name: string): Promise<LabNode> {
  const own = join(directory, name);
  const machine = await NodeMachine.boot(name, own);
  return { machine, pods: new Pods(machine, join(own, "containers")) };
}

export interface DriverOptions {
  /** The command line of this program: `node main.ts`. */
  readonly program: readonly [string, ...string[]];
  readonly driverName: string;
  readonly directory: string;
  readonly machines: Machines;
}

/** Starts Berth: its controller, and on each node its node plugin. The first is the controller. */
export function startDriver({ program, driverName, directory, machines }: DriverOptions): DriverProcess[] {
  const config = join(directory, "berth.yaml");
  const share = { name: "default", path: machines.shareDirectory };
  writeFileSync(config, JSON.stringify({ cluster: "lab", directories: [share] }));
  const start = (
    component: string,
    own: readonly string[],
    on: (command: string[]) => [string, ...string[]],
  ) => {
    const endpoint = `unix://${join(directory, `${component}.sock`)}`;
    const flags = [
      "--endpoint",
      endpoint,
      "--driver-name",
      driverName,
      "--config",
      config,
      "--log-format",
      "json",
    ];
    const command = on([...program, ...own, ...flags]);
    return new DriverProcess(component, endpoint, command, join(directory, `${component}.log`));
  };
  return [
    start("controller", ["controller"], ([first = "", ...more]) => [first, ...more]),
    ...machines.nodes.map(({ machine }) =>
      start(
        machine.name,
        ["node", "--node-id", machine.name, "--kubelet-dir", machine.kubeletDirectory],
        (command) => machine.command(...command),
      ),
    ),
  ];
}

export interface ClusterParts {
  readonly manifests: Manifests;
  readonly machines: Machines;
  readonly drivers: readonly DriverProcess[];
  readonly hook: CallHook;
  readonly note: Note;
  readonly clock: Clock;
  /** Wraps what runs a node's pods: to record them. */
  readonly runtimeOf: (node: LabNode) => PodRuntime;
}

/** Kubernetes, in front of drivers that run: ready, and with every node registered. */
export async function startCluster(parts: ClusterParts, signal: AbortSignal): Promise<Cluster> {
  const { manifests, machines, drivers, hook, note, clock } = parts;
  await Promise.all(
    drivers.map(({ endpoint }) => listening(endpoint.replace(/^unix:\/\//, ""), clock, signal)),
  );
  const endpointOf = (component: string) => {
    const found = drivers.find((driver) => driver.component === component);
    if (found === undefined) throw new BerthError("not-found", `no driver runs for ${component}`);
    return { component, endpoint: found.endpoint, hook };
  };
  const provisioner = new Provisioner({ caller: new KeptConnection(endpointOf("controller")), clock });
  const kubelet = (node: LabNode) => {
    const { machine } = node;
    return new Kubelet({
      nodeName: machine.name,
      root: machine.kubeletDirectory,
      caller: new ConnectionPerCall(endpointOf(machine.name)),
      runtime: parts.runtimeOf(node),
      files: nodeFiles((path) => machine.isMountPoint(path)),
      clock,
      note,
    });
  };
  const [first, ...more] = machines.nodes;
  const kubelets: [Kubelet, ...Kubelet[]] = [kubelet(first), ...more.map(kubelet)];
  const [driver] = await Promise.all([
    provisioner.start(signal),
    ...kubelets.map((each) => each.register(signal)),
  ]);
  checkName(driver.name, manifests);
  return new Cluster({ manifests, provisioner, kubelets, note, newUid: randomUUID });
}

function checkName(name: string, { storageClass }: Manifests): void {
  if (name === storageClass.provisioner) return;
  throw new BerthError(
    "failed-precondition",
    `StorageClass/${storageClass.name} asks for driver ${storageClass.provisioner}, but ${name} answers: no claim would be served`,
  );
}
