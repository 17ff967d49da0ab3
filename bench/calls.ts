import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  Controller,
  VolumeCapability_AccessMode_Mode,
  type VolumeCapabilitySchema,
} from "../src/gen/csi/v1/csi_pb.ts";
import { CsiConnection, type Method, requestOf } from "../src/lab/csi-client.ts";

const timeoutMs = 10_000;

/** A call that must succeed. @throws Error with the status of one that does not */
export async function call<I extends DescMessage, O extends DescMessage>(
  connection: CsiConnection,
  method: Method<I, O>,
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const result = await connection.call(method, requestOf(method, request), timeoutMs);
  if (result.status === "error") throw new Error(`${method.name}: ${result.code} ${result.message}`);
  return result.response;
}

/** The same on a connection of its own, as kubelet makes every call. */
export async function callOnce<I extends DescMessage, O extends DescMessage>(
  endpoint: string,
  method: Method<I, O>,
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const connection = new CsiConnection(endpoint);
  try {
    return await call(connection, method, request);
  } finally {
    connection.close();
  }
}

/** Mounted by many pods on many nodes. */
export const capability: MessageInitShape<typeof VolumeCapabilitySchema> = {
  accessType: { case: "mount", value: {} },
  accessMode: { mode: VolumeCapability_AccessMode_Mode.MULTI_NODE_MULTI_WRITER },
};

export interface CreatedVolume {
  readonly volumeId: string;
  readonly volumeContext: Record<string, string>;
}

export async function createVolume(
  connection: CsiConnection,
  name: string,
  parameters: Record<string, string> = { type: "directory" },
): Promise<CreatedVolume> {
  const { volume } = await call(connection, Controller.method.createVolume, {
    name,
    capacityRange: { requiredBytes: 1n << 30n },
    volumeCapabilities: [capability],
    parameters,
  });
  if (volume === undefined) throw new Error("CreateVolume answered without a volume");
  return volume;
}

export async function deleteVolume(connection: CsiConnection, volumeId: string): Promise<void> {
  await call(connection, Controller.method.deleteVolume, { volumeId });
}
