import { type Credentials, rootCredentials } from "../rpc/auth-sys.ts";
import { monotonicMs } from "../rpc/deadline-timer.ts";
import type { Until } from "../rpc/pause.ts";
import type { OperationOptions } from "./client.ts";
import type { Site } from "./diagnosis.ts";
import { nfsLimits } from "./limits.ts";

/** What a request is made with, and how its errors speak of it. */
export interface Request extends Until {
  readonly credentials: Credentials;
  readonly site: Omit<Site, "operation">;
}

/** What all requests of one client have in common. */
export interface RequestDefaults {
  /** `host:/path`, as errors name it. */
  readonly server: string;
  readonly version: string;
  readonly credentials: Credentials;
  readonly timeoutMs: number;
}

export function requestDefaults(
  server: string,
  version: string,
  options: { readonly credentials?: Credentials; readonly timeoutMs?: number },
): RequestDefaults {
  const { credentials = rootCredentials, timeoutMs = nfsLimits.timeoutMsDefault } = options;
  return { server, version, credentials, timeoutMs };
}

/** One operation's options, with the client's defaults filled in and its clock started. */
export function requestOf(defaults: RequestDefaults, options: OperationOptions = {}): Request {
  const { signal, path, newPath } = options;
  const { timeoutMs = defaults.timeoutMs, credentials = defaults.credentials } = options;
  return {
    credentials,
    signal,
    deadlineMs: monotonicMs() + timeoutMs,
    site: { server: defaults.server, version: defaults.version, uid: credentials.uid, path, newPath },
  };
}
