import type { Lab } from "../lab.ts";
import type { Timeline } from "../timeline/timeline.ts";
import type { Experiment } from "./manifests.ts";
import type { Views } from "./views.ts";
import type { Workload } from "./workload.ts";

export interface ExperimentParts {
  readonly lab: Lab;
  readonly experiment: Experiment;
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

function createStep({ lab, experiment, views, patience }: ExperimentParts): Step {
  const { driver, storageClass, claim, deployment } = experiment;
  return {
    command: `kubectl apply: claim ${claim.name}`,
    explanation: "A claim asks for storage. The controller makes a volume; no node hears of it.",
    act: async () => {
      lab.apply([driver, storageClass, claim, { ...deployment, replicas: 0 }]);
      await lab.settled(patience());
    },
    look: () => views.share(),
  };
}

function scaleUpSteps(parts: ExperimentParts): Step[] {
  const { lab, workload, views } = parts;
  return [
    scaleStep(
      parts,
      1,
      "The first pod. Its node mounts the volume twice: for itself, then for the pod.",
      async () => {
        await writeAndRead(parts);
        const [pod] = lab.cluster.pods;
        if (pod !== undefined) await views.mountsOf(pod, await workload.df(pod));
      },
    ),
    scaleStep(
      parts,
      4,
      "Three more. A node that has the volume mounts it for the new pod only.",
      async () => {
        const lines = await writeAndRead(parts);
        await views.holders();
        const pod = lab.cluster.pods.at(-1);
        if (pod !== undefined) views.file(pod, lines);
      },
    ),
    scaleStep(parts, 5, "One more, on a node that has the volume.", async () => {
      await writeAndRead(parts);
      await views.holders();
    }),
  ];
}

function endSteps(parts: ExperimentParts): Step[] {
  const { lab, experiment, workload, views, patience } = parts;
  return [
    scaleStep(parts, 4, "One pod goes. Its neighbour stays, and so does the node's mount.", async () => {
      await workload.readAll(lab.cluster.pods);
      await views.holders();
    }),
    {
      command: `kubectl delete pvc ${experiment.claim.name}`,
      explanation: "Somebody deletes the claim while four pods work with it.",
      act: async () => {
        const { namespace, name } = experiment.claim;
        lab.delete("PersistentVolumeClaim", `${namespace}/${name}`);
        await lab.settled(patience());
      },
      look: async () => {
        await writeAndRead(parts);
        await views.holders();
        await views.share();
      },
    },
    scaleStep(
      parts,
      0,
      "All pods go. The last on each node takes the node's mount with it, and the last of all frees the claim: its deletion, asked for above, goes on.",
      async () => {
        await views.holders();
        await views.share();
      },
    ),
  ];
}

function scaleStep(
  { lab, experiment, patience }: ExperimentParts,
  replicas: number,
  explanation: string,
  look: () => Promise<void>,
): Step {
  const { namespace, name } = experiment.deployment;
  const act = async () => {
    lab.scale(`${namespace}/${name}`, replicas);
    await lab.settled(patience());
  };
  const command = `kubectl scale deployment ${name} --replicas=${replicas}`;
  return { command, explanation, act, look };
}

/** Every pod appends a line, then every pod reads all lines. @returns what the last one read */
async function writeAndRead({ lab, workload }: ExperimentParts): Promise<readonly string[]> {
  await workload.writeAll(lab.cluster.pods);
  return await workload.readAll(lab.cluster.pods);
}
