import { cpus, loadavg, release } from "node:os";

/** What figures depend on, in one line: taken before the run, which is a load itself. */
export function describeMachine(): string {
  const [cpu] = cpus();
  const [load = 0] = loadavg();
  const kernel = `Linux ${release()}, Node.js ${process.versions.node}`;
  return `${cpus().length} × ${cpu?.model.trim()}, ${kernel}; load before the run ${load.toFixed(1)}`;
}
