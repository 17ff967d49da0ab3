/**
 * Guests on processors whose registers user-mode Linux 6.1 has no room for. It keeps 2,696 bytes of them for each of its
 * processes: all up to AVX-512 and protection keys. With AMX (Intel since 2023) they are some 11,000, and a kernel takes
 * them whole or not at all: PTRACE_SETREGSET fails with EFAULT, and the guest's first process dies. So what the guest's
 * kernel says to `ptrace(2)` is completed on the way, by a library that is loaded before it. Guests have no AMX then.
 */
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import type { Program } from "./packages.ts";
import { check } from "./process.ts";

/** What a guest needs besides, on this processor. */
export const processorPrograms: readonly Program[] = hasWideRegisters(cpuInfo()) ? ["tcc"] : [];

/** @param cpuinfo what `/proc/cpuinfo` says */
export function hasWideRegisters(cpuinfo: string): boolean {
  return /^flags\s*:.*\bamx_tile\b/m.test(cpuinfo);
}

/**
 * Makes the library, where one is needed.
 * @param here the guest's directory, for this process
 * @param inRoom the same, for whoever starts the guest
 * @returns what stands in front of the kernel's command
 */
export async function forThisProcessor(here: string, inRoom: string): Promise<readonly string[]> {
  if (processorPrograms.length === 0) return [];
  await writeFile(`${here}/wide-registers.c`, source);
  await check(["tcc", "-shared", "-nostdlib", "-o", `${here}/${library}`, `${here}/wide-registers.c`]);
  return ["env", `LD_PRELOAD=${inRoom}/${library}`];
}

const library = "wide-registers.so";

/** Not on a machine that has none: there are no guests either. */
function cpuInfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "latin1");
  } catch {
    return "";
  }
}

/**
 * In C without headers, for any compiler. The state is static: the stacks of the guest's kernel are small, and it has
 * one processor. What is not given is zero, and the header of what is given says that it is in its initial state
 * (Intel SDM volume 1, 13.4).
 */
const source = `
enum { SYS_ptrace = 101, PEEK_FIRST = 1, PEEK_LAST = 3, GETREGSET = 0x4204, SETREGSET = 0x4205, X86_XSTATE = 0x202 };

struct iovec { unsigned long *base; unsigned long length; };

extern long syscall(long number, ...);
extern int *__errno_location(void);

static unsigned long state[8192];
static unsigned long state_length;

static long learn_length(long pid) {
  struct iovec all = { state, sizeof state };
  long result = syscall(SYS_ptrace, (long)GETREGSET, pid, (long)X86_XSTATE, &all);
  if (result < 0) return result;
  state_length = all.length;
  for (unsigned long i = 0; i < sizeof state / sizeof *state; i++) state[i] = 0;
  return 0;
}

static long set_registers(long pid, struct iovec *given) {
  struct iovec all = { state, 0 };
  if (state_length == 0 && learn_length(pid) < 0) return -1;
  if (given->length >= state_length) return syscall(SYS_ptrace, (long)SETREGSET, pid, (long)X86_XSTATE, given);
  for (unsigned long i = 0; i < given->length / sizeof *state; i++) state[i] = given->base[i];
  all.length = state_length;
  return syscall(SYS_ptrace, (long)SETREGSET, pid, (long)X86_XSTATE, &all);
}

/* What is peeked the system call stores, and the C library's function returns (ptrace(2)), with errno 0. */
static long peek(long request, long pid, long address) {
  long value = 0;
  if (syscall(SYS_ptrace, request, pid, address, &value) < 0) return -1;
  *__errno_location() = 0;
  return value;
}

long ptrace(int request, int pid, long address, void *data) {
  if (request >= PEEK_FIRST && request <= PEEK_LAST) return peek(request, pid, address);
  if (request == SETREGSET && address == X86_XSTATE) return set_registers(pid, data);
  return syscall(SYS_ptrace, (long)request, (long)pid, address, data);
}
`;
