/**
 * stunnel, which puts TLS around TCP for clients and servers that know none (as Amazon EFS uses it), in front of ports
 * of this machine; and the certificates for it.
 */
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { BerthError } from "../../src/core/errors.ts";
import { requirePrograms } from "../../src/lab/guest/packages.ts";
import { startTied, type Tied } from "../../src/lab/guest/process.ts";
import { scratchDirectory } from "../../tools/scratch.ts";

export interface Stunnel extends AsyncDisposable {
  /** PEM of the authority that has signed the server's certificate, and its file. */
  readonly ca: string;
  readonly caFile: string;
  /** Of an authority that has not. */
  readonly otherCa: string;
  /** Where TLS is accepted for each of the ports that were given. */
  readonly ports: readonly number[];
}

const readyMsMax = 10_000;

/** @param serverName the one name in the server's certificate */
export async function startStunnel(serverName: string, targets: readonly number[]): Promise<Stunnel> {
  requirePrograms(["stunnel4", "openssl"]);
  const directory = scratchDirectory("stunnel");
  let stunnel: Tied | undefined;
  try {
    makeCertificates(directory, serverName);
    const ports = await Promise.all(targets.map(freePort));
    const services = targets.map((target, index) => service(directory, target, ports[index] ?? 0));
    const configuration = join(directory, "stunnel.conf");
    await writeFile(configuration, `foreground = quiet\npid =\n${services.join("\n")}\n`);
    stunnel = await startTied(["stunnel4", configuration], ["ignore", "ignore", "ignore"]);
    await Promise.all(ports.map((port) => listens(port, stunnel)));
    const caFile = join(directory, "ca.pem");
    return {
      ports,
      caFile,
      ca: await readFile(caFile, "utf8"),
      otherCa: await readFile(join(directory, "other-ca.pem"), "utf8"),
      [Symbol.asyncDispose]: async () => void (await stunnel?.kill()),
    };
  } catch (reason) {
    await stunnel?.kill();
    throw reason;
  }
}

function service(directory: string, target: number, port: number): string {
  const pem = `cert = ${directory}/server.pem\nkey = ${directory}/server.key`;
  return `[port-${port}]\naccept = 127.0.0.1:${port}\nconnect = 127.0.0.1:${target}\n${pem}`;
}

function makeCertificates(directory: string, serverName: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  for (const name of ["ca", "other-ca"]) {
    openssl("req", "-x509", ...key, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.pem`);
  }
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", `subjectAltName=DNS:${serverName}`];
  const subject = ["-subj", `/CN=${serverName}`];
  openssl("req", "-x509", ...key, ...subject, ...signed, "-keyout", "server.key", "-out", "server.pem");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new TypeError("a TCP server has a port");
  return address.port;
}

async function listens(port: number, stunnel: Tied | undefined): Promise<void> {
  let ended = false;
  void stunnel?.exited.then(() => {
    ended = true;
  });
  const deadlineMs = Date.now() + readyMsMax;
  while (!(await accepts(port))) {
    if (ended || Date.now() > deadlineMs) throw new BerthError("unavailable", "stunnel did not start");
    await delay(10);
  }
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
