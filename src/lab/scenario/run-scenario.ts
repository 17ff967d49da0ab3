import { BerthError } from "../../core/errors.ts";
import type { RunResult } from "../guest/process.ts";
import { failed } from "../guest/process.ts";
import type { Lab } from "../lab.ts";
import type { LabPod } from "../lab-pod.ts";
import type { Timeline } from "../timeline/timeline.ts";
import type { Action, Expectation, Scenario, ServerAction, Step } from "./scenario.ts";

const tellMs = 500;

/**
 * Goes through the steps. The first that fails is the last.
 * @throws BerthError with the step's place in its file
 */
export async function runScenario(scenario: Scenario, lab: Lab, timeline: Timeline): Promise<void> {
  for (const step of scenario.steps) {
    timeline.step(step.title.split("\n", 1).join(""), step.where);
    await runStep(step, lab, timeline);
    timeline.flush();
  }
}

async function runStep(step: Step, lab: Lab, timeline: Timeline): Promise<void> {
  lab.patienceMs = step.withinMs;
  const work = act(step.action, lab, timeline);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const text = `it is not done within ${step.withinMs / 1000} s`;
    const tooLate = () => reject(new BerthError("deadline-exceeded", text));
    timer = setTimeout(tooLate, step.withinMs + tellMs); // what waits can tell more of it
  });
  try {
    await Promise.race([work, late]);
  } catch (reason) {
    void work.catch(() => {}); // it has been given up
    const { code, message } = BerthError.from(reason);
    throw new BerthError(code, `${step.where}: ${step.title}: ${message}`, { cause: reason });
  } finally {
    clearTimeout(timer);
  }
}

async function act(action: Action, lab: Lab, timeline: Timeline): Promise<void> {
  switch (action.kind) {
    case "apply":
      return lab.apply(action.objects);
    case "scale":
      return lab.scale(action.deployment, action.replicas);
    case "delete":
      return lab.delete(action.object.kind, action.object.name);
    case "wait":
      return await wait(action, lab);
    case "exec":
      return await exec(action, lab, timeline);
    case "node": {
      const result = await lab.node(action.node).exec(action.command);
      return judge(`on ${action.node}`, action, result, timeline);
    }
    case "warning": {
      const { message } = await lab.warning(action.object, action.message);
      return timeline.text(message);
    }
    case "server":
      return await serve(action.what, lab);
    case "restart":
      if (action.component === "controller") return await lab.restartController();
      return await lab.restartNodeDriver(action.component);
    case "reboot":
      return await lab.reboot(action.node);
  }
}

async function wait(action: Extract<Action, { kind: "wait" }>, lab: Lab): Promise<void> {
  switch (action.until) {
    case "settled":
      return await lab.settled();
    case "bound":
      await lab.claim(action.name).bound();
      return;
    case "running":
      return await (await lab.pod(action.name)).running();
    case "gone":
      return await lab.gone(action.object);
  }
}

async function exec(action: Extract<Action, { kind: "exec" }>, lab: Lab, timeline: Timeline): Promise<void> {
  const pods =
    action.deployment === undefined ? [await lab.pod(action.pod ?? "")] : lab.podsOf(action.deployment);
  if (pods.length === 0) throw new BerthError("not-found", `Deployment/${action.deployment} has no pods`);
  for (const pod of pods) await execIn(pod, action, timeline);
}

async function execIn(
  pod: LabPod,
  action: Extract<Action, { kind: "exec" }>,
  timeline: Timeline,
): Promise<void> {
  await pod.running();
  const result = await pod.exec(["sh", "-c", action.command]);
  judge(`in ${pod.name}`, action, result, timeline);
}

function judge(
  where: string,
  { command, expectation }: { readonly command: string; readonly expectation: Expectation },
  result: RunResult,
  timeline: Timeline,
): void {
  for (const line of `${result.stdout}${result.stderr}`.trimEnd().split("\n")) {
    if (line !== "") timeline.raw(`${where}: ${line}`, "good");
  }
  if (result.exitCode !== expectation.exitCode) {
    const expected = expectation.exitCode === 0 ? "" : `, not with ${expectation.exitCode}`;
    const { message } = failed(`${where}, ${command.trim()}${expected}`, result);
    throw new BerthError("failed-precondition", message);
  }
  for (const name of ["stdout", "stderr"] as const) {
    const pattern = expectation[name];
    if (pattern === undefined || pattern.test(result[name])) continue;
    const text = `${where}, ${name} is ${JSON.stringify(result[name])}, which ${pattern.source} does not match`;
    throw new BerthError("failed-precondition", text);
  }
}

async function serve(what: ServerAction, { storage }: Lab): Promise<void> {
  switch (what) {
    case "stop":
      return await storage.stopServer();
    case "start":
      return await storage.startServer();
    case "crash":
      return await storage.crash();
    case "pause":
      return await storage.guest.pause();
    case "resume":
      return await storage.guest.resume();
  }
}
