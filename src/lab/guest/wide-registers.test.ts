import assert from "node:assert/strict";
import { test } from "node:test";
import { hasWideRegisters } from "./wide-registers.ts";

test("registers are wide where the processor has AMX tiles", () => {
  const cpuinfo = (flags: string) => `processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t: amx_tile_bug\n`;
  assert.equal(hasWideRegisters(cpuinfo("fpu avx512f amx_bf16 amx_tile amx_int8")), true);
  assert.equal(hasWideRegisters(cpuinfo("fpu avx512f pku")), false);
  assert.equal(hasWideRegisters(""), false);
});
