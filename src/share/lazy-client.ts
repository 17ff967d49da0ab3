import { BerthError } from "../core/errors.ts";
import type { NfsClient } from "../nfs/index.ts";

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly client: Promise<NfsClient> }
  | { readonly kind: "connected"; readonly client: NfsClient }
  | { readonly kind: "closed" };

/** A client that connects when it is first needed; if that fails, again when it is next needed. */
export class LazyClient {
  readonly #connect: (signal: AbortSignal) => Promise<NfsClient>;
  readonly #closing = new AbortController();
  #state: State = { kind: "idle" };

  constructor(connect: (signal: AbortSignal) => Promise<NfsClient>) {
    this.#connect = connect;
  }

  /** The client, where nothing has to be waited for. */
  get connected(): NfsClient | undefined {
    return this.#state.kind === "connected" ? this.#state.client : undefined;
  }

  /** @throws BerthError why it cannot connect; `cancelled` when the signal fires first */
  async get(signal?: AbortSignal): Promise<NfsClient> {
    const state = this.#state;
    if (state.kind === "connected") return state.client;
    if (state.kind === "closed") throw new BerthError("storage-unavailable", "the share was closed");
    const client = state.kind === "connecting" ? state.client : this.#begin();
    return signal === undefined ? await client : await orAborted(client, signal);
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "closed" };
    this.#closing.abort();
    if (state.kind === "connected") await state.client.close();
    if (state.kind === "connecting") await state.client.then((client) => client.close()).catch(() => {});
  }

  /** Shared by all that wait: so it ends with the share, not with the call of one of them. */
  #begin(): Promise<NfsClient> {
    const client = this.#connect(this.#closing.signal);
    this.#state = { kind: "connecting", client };
    client.then(
      (connected) => this.#settle({ kind: "connected", client: connected }),
      () => this.#settle({ kind: "idle" }),
    );
    return client;
  }

  #settle(state: State): void {
    if (this.#state.kind === "connecting") this.#state = state;
  }
}

async function orAborted<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const message = "there is no connection to it yet: look whether the server runs, and what lies between";
  const stop = () => reject(new BerthError("cancelled", message, { cause: signal.reason }));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([shared, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
