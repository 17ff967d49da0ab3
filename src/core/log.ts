/** What a log line may carry. Secrets and mount flags never do. */
export type LogFields = Readonly<Record<string, string | number | boolean | bigint | Error | undefined>>;

/** Where the domain says what it did. `observe/` has the implementation. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
