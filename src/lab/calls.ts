import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type CallResult, CsiConnection, type Method, requestOf } from "./csi-client.ts";

/** A call as its caller means it. */
export interface Call {
  /** Who is called: `controller`, or a node's name. */
  readonly component: string;
  readonly rpc: string;
  /** Why Kubernetes makes it, in one short sentence. */
  readonly why: string;
  /** What it is about, in people's words: a pod's name; `""` where the ids say it. */
  readonly subject: string;
  readonly volumeId: string;
  /** The target path, or else the staging path; `""` where the method has neither. */
  readonly path: string;
  /** Of NodePublishVolume, beside its target. */
  readonly stagingPath: string;
}

/**
 * Stands around every call: to record it, and later to delay, drop or repeat it. It must give back what
 * `send` gives, or a failure of its own.
 */
export interface CallHook {
  around<T>(call: Call, send: () => Promise<CallResult<T>>): Promise<CallResult<T>>;
}

export interface CallerOptions {
  readonly component: string;
  readonly endpoint: string;
  readonly hook: CallHook;
}

export interface CallOptions {
  /** See `Call`. */
  readonly why: string;
  readonly subject?: string;
  readonly timeoutMs: number;
}

/** A component's way to its driver. */
export interface Caller {
  call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    parts: MessageInitShape<I>,
    how: CallOptions,
  ): Promise<CallResult<MessageShape<O>>>;
}

/** Kubelet's way: a new connection for each RPC (pkg/volume/csi/csi_client.go). */
export class ConnectionPerCall implements Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    parts: MessageInitShape<I>,
    how: CallOptions,
  ): Promise<CallResult<MessageShape<O>>> {
    const { component, endpoint, hook } = this.#options;
    const request = requestOf(method, parts);
    return await hook.around(describe(component, method, request, how), async () => {
      const connection = new CsiConnection(endpoint);
      try {
        return await connection.call(method, request, how.timeoutMs);
      } finally {
        connection.close();
      }
    });
  }
}

/** The sidecars' way: one connection for as long as they live. */
export class KeptConnection implements Caller {
  readonly #options: CallerOptions;
  readonly #connection: CsiConnection;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#connection = new CsiConnection(options.endpoint);
  }

  async call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    parts: MessageInitShape<I>,
    how: CallOptions,
  ): Promise<CallResult<MessageShape<O>>> {
    const { component, hook } = this.#options;
    const request = requestOf(method, parts);
    const send = () => this.#connection.call(method, request, how.timeoutMs);
    return await hook.around(describe(component, method, request, how), send);
  }

  close(): void {
    this.#connection.close();
  }
}

function describe(
  component: string,
  method: { readonly name: string },
  request: object,
  { why, subject = "" }: CallOptions,
): Call {
  const stagingPath = textField(request, "stagingTargetPath");
  const targetPath = textField(request, "targetPath");
  return {
    component,
    rpc: method.name,
    why,
    subject,
    volumeId: textField(request, "volumeId"),
    path: targetPath || stagingPath,
    stagingPath: targetPath === "" ? "" : stagingPath,
  };
}

/** A message's field by its name, whatever the message; `""` where it has none. */
export function textField(message: object, name: string): string {
  const value: unknown = Reflect.get(message, name);
  return typeof value === "string" ? value : "";
}
