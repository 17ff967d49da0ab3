import type { Cluster } from "../orchestrator/cluster.ts";
import type { Manifests } from "../orchestrator/manifests.ts";
import type { Timeline } from "../timeline/timeline.ts";
import type { Views } from "./views.ts";
import type { Workload } from "./workload.ts";

export interface ExperimentParts {
  readonly manifests: Manifests;
  readonly cluster: Cluster;
  readonly workload: Workload;
  readonly timeline: Timeline;
  readonly views: Views;
  /** Fires when one step has taken too long, or the driver has died. */
  readonly patience: () => AbortSignal;
  /** Between steps, for people to read. */
  readonly pause: () => Promise<void>;
}

interface Step {
  readonly command: string;
  readonly explanation: string;
  act(): Promise<unknown>;
  /** What is to be seen afterwards. */
  look(): Promise<void>;
}

/** The experiment, step by step: what a person does to the cluster, and what there is to see. */
export async function runExperiment(parts: ExperimentParts): Promise<void> {
  for (const step of [createStep(parts), ...scaleUpSteps(parts), ...endSteps(parts)]) {
    await parts.pause();
    parts.timeline.step(step.command, step.explanation);
    await step.act();
    parts.timeline.endStep();
    await step.look();
  }
}

function createStep({ manifests, cluster, views, patience }: ExperimentParts): Step {
  return {
    command: `kubectl apply: claim ${manifests.claim.name}`,
    explanation: "A claim asks for storage. The controller makes a volume; no node hears of it.",
    act: () => cluster.createClaim(patience()),
    look: async () => views.share(),
  };
}

function scaleUpSteps(parts: ExperimentParts): Step[] {
  const { cluster, workload, views } = parts;
  return [
    scaleStep(
      parts,
      1,
      "The first pod. Its node mounts the volume twice: for itself, then for the pod.",
      async () => {
        await writeAndRead(parts);
        const [pod] = cluster.pods;
        if (pod !== undefined) views.mountsOf(pod, await workload.df(pod));
      },
    ),
    scaleStep(
      parts,
      4,
      "Three more. A node that has the volume mounts it for the new pod only.",
      async () => {
        const lines = await writeAndRead(parts);
        views.holders();
        const pod = cluster.pods.at(-1);
        if (pod !== undefined) views.file(pod, lines);
      },
    ),
    scaleStep(parts, 5, "One more, on a node that has the volume.", async () => {
      await writeAndRead(parts);
      views.holders();
    }),
  ];
}

function endSteps(parts: ExperimentParts): Step[] {
  const { manifests, cluster, workload, views, patience } = parts;
  return [
    scaleStep(parts, 4, "One pod goes. Its neighbour stays, and so does the node's mount.", async () => {
      await workload.readAll(cluster.pods);
      views.holders();
    }),
    {
      command: `kubectl delete pvc ${manifests.claim.name}`,
      explanation: "Somebody deletes the claim while four pods work with it.",
      act: () => cluster.deleteClaim(patience()),
      look: async () => {
        await writeAndRead(parts);
        views.holders();
        views.share();
      },
    },
    scaleStep(
      parts,
      0,
      "All pods go. The last on each node takes the node's mount with it, and the last of all frees the claim: its deletion, asked for above, goes on.",
      async () => {
        views.holders();
        views.share();
      },
    ),
  ];
}

function scaleStep(
  { manifests, cluster, patience }: ExperimentParts,
  replicas: number,
  explanation: string,
  look: () => Promise<void>,
): Step {
  const command = `kubectl scale deployment ${manifests.deployment.name} --replicas=${replicas}`;
  return { command, explanation, act: () => cluster.scale(replicas, patience()), look };
}

/** Every pod appends a line, then every pod reads all lines. @returns what the last one read */
async function writeAndRead({ cluster, workload }: ExperimentParts): Promise<readonly string[]> {
  await workload.writeAll(cluster.pods);
  return await workload.readAll(cluster.pods);
}
