import { isAbsolute, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { limits } from "../core/limits.ts";
import { type LogFormat, type LogLevel, logFormats, logLevels } from "../observe/log.ts";

/** The flags of every command that serves CSI, checked. */
export interface ServeOptions {
  readonly endpoint: string;
  readonly driverName: string;
  /** The configuration file; without one everything has its default. */
  readonly config?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** The flags of a command that serves the node's half. */
export interface NodeOptions extends ServeOptions {
  readonly nodeId: string;
  readonly kubeletDir: string;
}

export function addServeOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--endpoint <url>", "where to serve: unix:///path, or tcp://127.0.0.1:port").default(
        "unix:///csi/csi.sock",
      ),
    )
    .addOption(
      new Option("--driver-name <name>", "the driver's CSI name, as in the StorageClass's provisioner")
        .default("csi.berth.dev")
        .argParser(parseDriverName),
    )
    .addOption(
      new Option(
        "--config <file>",
        "the configuration, a YAML file: cluster, exports, directories, reaper, usage, ephemeral",
      ),
    )
    .addOption(
      new Option("--log-level <level>", "the least that is logged").choices(logLevels).default("info"),
    )
    .addOption(
      new Option("--log-format <format>", "lines for people, or for programs")
        .choices(logFormats)
        .default("json"),
    );
}

export function addNodeOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--node-id <id>", "this node's name in the cluster (spec.nodeName)")
        .makeOptionMandatory()
        .argParser(parseNodeId),
    )
    .addOption(
      new Option("--kubelet-dir <path>", "kubelet's directory: nothing outside it is mounted on")
        .default("/var/lib/kubelet")
        .argParser(parseDirectory),
    );
}

/** CSI allows digits at the ends too; csi-sanity does not. Kubernetes wants lower case in a CSIDriver's name. */
const label = "[a-z0-9]([a-z0-9-]*[a-z0-9])?";
const driverNamePattern = new RegExp(`^(?=[a-z])${label}(\\.${label})*(?<=[a-z])$`);
const driverNameBytesMax = 63;

export function parseDriverName(text: string): string {
  if (text.length > driverNameBytesMax) {
    throw new InvalidArgumentError(`It has ${text.length} characters; ${driverNameBytesMax} are the most.`);
  }
  if (!driverNamePattern.test(text)) {
    throw new InvalidArgumentError(
      "Write a domain name in lower case that begins and ends with a letter, such as csi.berth.dev.",
    );
  }
  return text;
}

export function parseNodeId(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (text.trim() === "" || bytes > limits.csiNodeIdBytesMax) {
    throw new InvalidArgumentError(
      `It has ${bytes} bytes; give the node's name, of 1 to ${limits.csiNodeIdBytesMax} bytes.`,
    );
  }
  return text;
}

function parseDirectory(text: string): string {
  if (!isAbsolute(text)) throw new InvalidArgumentError("Write an absolute path.");
  return resolve(text);
}
