/** TLS with the server's certificate always verified. */
export interface TlsOptions {
  /** PEM certificates to trust; default those of Node. */
  readonly ca?: string | Buffer;
  /** The name that the certificate must have; default the host. */
  readonly serverName?: string;
  /** PEM, where the server asks for a client certificate. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}
