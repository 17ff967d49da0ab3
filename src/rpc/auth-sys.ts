/** Whom a call acts as (AUTH_SYS, RFC 5531 §8.2 and appendix A). The server believes it. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** Further groups: at most 16. */
  readonly gids: readonly number[];
}
