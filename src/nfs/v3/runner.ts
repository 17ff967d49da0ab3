import type { RpcConnection } from "../../rpc/connection.ts";
import { callError, doubtfulError, statusError } from "../diagnosis.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { waitOut } from "../wait-out.ts";
import { nfs3Program, type Procedure } from "./procedure.ts";

type Reply<Result> =
  | { readonly status: "ok"; readonly result: Result }
  | { readonly status: "error"; readonly code: number; readonly sends: number };

/**
 * Runs procedures. Over a cut connection the call is repeated with its xid and source port, by which a
 * server's duplicate request cache knows it (RFC 1813 §4.5); where that forgot, EXIST and NOENT may be of
 * the call's own doing, and the error's outcome is "unknown". JUKEBOX is waited for.
 */
export class ProcedureRunner {
  readonly #connection: RpcConnection;

  constructor(connection: RpcConnection) {
    this.#connection = connection;
  }

  /** @throws NfsError */
  async run<Result>(procedure: Procedure<Result>, request: Request): Promise<Result> {
    const site = { ...request.site, operation: procedure.name };
    try {
      for (let attempt = 0; ; attempt++) {
        const reply = await this.#call(procedure, request);
        if (reply.status === "ok") return reply.result;
        if (reply.code !== status.delay || !(await waitOut(attempt, request))) {
          const own = procedure.once === true && reply.sends > 1 && mayBeOurs(reply.code);
          throw own
            ? doubtfulError(site, "the connection broke and the call was repeated", reply.code)
            : statusError(site, reply.code, "not-done");
        }
      }
    } catch (error) {
      throw callError(site, error, procedure.once !== true);
    }
  }

  #call<Result>(procedure: Procedure<Result>, request: Request): Promise<Reply<Result>> {
    return this.#connection.run({
      program: nfs3Program,
      procedure: procedure.number,
      name: procedure.name,
      credentials: request.credentials,
      deadlineMs: request.deadlineMs,
      signal: request.signal,
      encode: (writer) => procedure.encode(writer),
      decode: (results, sends) => {
        const code = results.uint32();
        if (code !== status.ok) return { status: "error", code, sends };
        return { status: "ok", result: procedure.decode(results) };
      },
    });
  }
}

/** What a call answers that finds its own work done. */
function mayBeOurs(code: number): boolean {
  return code === status.exist || code === status.noent;
}
