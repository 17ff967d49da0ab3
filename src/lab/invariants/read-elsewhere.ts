import type { Recording } from "./recording.ts";
import { broken, counted, holds, type Invariant, type Verdict } from "./verdict.ts";

export const readElsewhere: Invariant = {
  number: 6,
  rule: "what one pod wrote, a pod on another node reads",
  check(recording: Recording): Verdict {
    if (recording.writes.length === 0) return broken("no pod wrote anything: there is nothing to judge");
    for (const write of recording.writes) {
      for (const line of write.lines) {
        const isRead = recording.reads.some(
          (read) => read.node !== write.node && read.ms >= write.ms && read.lines.includes(line),
        );
        if (!isRead) return broken(`no pod off ${write.node} has read what ${write.pod} wrote: ${line}`);
      }
    }
    const lines = recording.writes.reduce((sum, write) => sum + write.lines.length, 0);
    return holds(`${counted(lines, "line")} written, each read back on another node`);
  },
};
