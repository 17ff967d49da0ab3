import { BerthError } from "../../core/errors.ts";
import { statusName } from "../status.ts";

/** The server does not know the session any more (RFC 8881 §2.10.13), or we cannot tell: a new one is needed. */
export class SessionLost extends BerthError {
  /** Whether the request may have been run before that. */
  readonly doubtful: boolean;

  constructor(reason: number | string, doubtful: boolean, cause?: unknown) {
    const why = typeof reason === "number" ? statusName(reason) : reason;
    super("storage-unavailable", `the session with the server was lost (${why})`, { cause });
    this.doubtful = doubtful;
  }
}
