import { randomUUID } from "node:crypto";
import { type Clock, systemClock } from "../core/clock.ts";
import { BerthError } from "../core/errors.ts";
import { type CallHook, KeptConnection } from "./calls.ts";
import type { StorageOptions } from "./guest/storage.ts";
import { LabNode } from "./lab-node.ts";
import { Cluster } from "./orchestrator/cluster.ts";
import { Changes, Events, type LabEvent, type Note } from "./orchestrator/events.ts";
import { Kubelet, type PodRuntime } from "./orchestrator/kubelet/kubelet.ts";
import { nodeFiles } from "./orchestrator/kubelet/node-files.ts";
import { Provisioner } from "./orchestrator/provisioner.ts";
import { Driver } from "./site/driver.ts";
import { openSite } from "./site/open-site.ts";
import type { Program, Site, Tier } from "./site/site.ts";

type ConfigParts = Readonly<Record<string, unknown>>;
export type DriverConfigOf = (site: Site) => ConfigParts | Promise<string>;

export interface LabOptions {
  readonly tier: Tier;
  readonly program: Program;
  /** 3 unless given. */
  readonly nodes?: number;
  /** `csi.berth.dev` unless given. */
  readonly driverName?: string;
  /**
   * The driver's configuration, as its file has it. What it leaves out of `cluster` (`lab`), `exports` and
   * `directories` (the site's storage as `nas` or `default`) is filled in; a whole file's text is taken as it is.
   */
  readonly driverConfig?: ConfigParts | DriverConfigOf;
  /** Of the storage guest; one XFS of 1 GiB at `/srv/xfs` unless given. */
  readonly storage?: StorageOptions;
  readonly nodeMemoryMib?: number;
  /** Stands around every call to the driver. */
  readonly hook?: CallHook;
  /** Hears why a call was not made. */
  readonly note?: Note;
  readonly onEvent?: (event: LabEvent) => void;
  /** Wraps what starts and stops a node's pods. */
  readonly runtimeOf?: (node: LabNode) => PodRuntime;
  readonly clock?: Clock;
  /** How long the waiting methods wait; a minute unless given. */
  readonly patienceMs?: number;
}

/** A lab that runs, in parts. */
export interface LabParts {
  readonly site: Site;
  readonly nodes: readonly [LabNode, ...LabNode[]];
  readonly controller: Driver;
  readonly cluster: Cluster;
  readonly events: Events;
  readonly kubelets: readonly Kubelet[];
  /** Ends what goes on in the background. */
  readonly stop: AbortController;
  readonly patienceMs: number;
  /** Takes all of it down. */
  readonly everything: AsyncDisposableStack;
}

/** All that belongs to one lab while it is put together. */
interface Assembly {
  readonly options: LabOptions;
  readonly driverName: string;
  readonly site: Site;
  readonly hook: CallHook;
  readonly everything: AsyncDisposableStack;
}

const startMsMax = 60_000;
const defaultPatienceMs = 60_000;
const defaultDriverName = "csi.berth.dev";
const passOn: CallHook = { around: (_, send) => send() };

/** Machines, then the driver on them, then Kubernetes in front of it. @throws BerthError; nothing is left then */
export async function openLab(options: LabOptions): Promise<LabParts> {
  const { driverName = defaultDriverName, hook = passOn, patienceMs = defaultPatienceMs } = options;
  await using everything = new AsyncDisposableStack();
  const site = everything.use(await openSite({ ...options, nodes: options.nodes ?? 3, driverName }));
  const assembly = { options, driverName, site, hook, everything };
  const { controller, nodes } = await startDrivers(assembly);
  const parts = await startCluster(assembly, controller, nodes);
  return { site, nodes, controller, patienceMs, ...parts, everything: everything.move() };
}

async function startDrivers({ options, driverName, site, hook }: Assembly) {
  const config = await driverConfig(site, options.driverConfig);
  const common = { program: site.program, driverName, config };
  const place = site.controller;
  const controller = new Driver({ ...common, component: "controller", place, command: ["controller"] });
  const makeNode = (node: Site["nodes"][number]) => {
    const command = ["node", "--node-id", node.name, "--kubelet-dir", node.kubeletDirectory];
    return new LabNode(node, new Driver({ ...common, component: node.name, place: node, command }), hook);
  };
  const [first, ...more] = site.nodes;
  const nodes: [LabNode, ...LabNode[]] = [makeNode(first), ...more.map(makeNode)];
  const signal = AbortSignal.timeout(startMsMax);
  const drivers = [controller, ...nodes.map(({ driver }) => driver)];
  await Promise.all(
    drivers.map(async (driver) => {
      await driver.start();
      await driver.answers(signal);
    }),
  );
  return { controller, nodes };
}

async function startCluster(
  { options, driverName, hook, everything }: Assembly,
  controller: Driver,
  nodes: readonly [LabNode, ...LabNode[]],
) {
  const { clock = systemClock, note = () => {} } = options;
  const stop = new AbortController();
  everything.defer(() => stop.abort(new BerthError("cancelled", "the lab has been closed")));
  const changes = new Changes();
  const events = new Events(() => performance.now(), changes, options.onEvent ?? (() => {}));
  const caller = new KeptConnection({ component: "controller", endpoint: controller.target, hook });
  everything.defer(() => caller.close());
  const provisioner = new Provisioner({ caller, clock });
  const makeKubelet = (node: LabNode) =>
    new Kubelet({
      nodeName: node.name,
      root: node.kubeletDirectory,
      caller: node.caller,
      runtime: options.runtimeOf?.(node) ?? node.pods,
      files: nodeFiles(node),
      ...{ clock, note },
      event: ({ namespace, name }, reason, message) =>
        events.add("Warning", `Pod/${namespace}/${name}`, reason, message),
      podInfo: () => cluster.driverNamed(driverName)?.podInfoOnMount === true,
    });
  const [first, ...more] = nodes;
  const kubelets: [Kubelet, ...Kubelet[]] = [makeKubelet(first), ...more.map(makeKubelet)];
  const cluster: Cluster = new Cluster({
    ...{ provisioner, kubelets, events, changes, note },
    newUid: randomUUID,
    signal: stop.signal,
  });
  const signal = AbortSignal.timeout(startMsMax);
  await Promise.all([provisioner.start(signal), ...kubelets.map((kubelet) => kubelet.register(signal))]);
  return { cluster, events, kubelets, stop };
}

async function driverConfig(site: Site, given: LabOptions["driverConfig"]): Promise<string> {
  const own = typeof given === "function" ? await given(site) : given;
  if (typeof own === "string") return own;
  return JSON.stringify({ cluster: "lab", ...site.share.config, ...own });
}
