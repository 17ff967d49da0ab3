import { Controller, GroupController, Identity, Node, SnapshotMetadata } from "../gen/csi/v1/csi_pb.ts";
import { type Implementation, type Service, service } from "./service.ts";

/** The services of CSI that a program may implement; Berth has nothing for the two others. */
export interface CsiImplementations {
  readonly identity: Implementation<typeof Identity>;
  readonly controller?: Implementation<typeof Controller>;
  readonly node?: Implementation<typeof Node>;
}

/** Every service of CSI v1.12: what is not implemented is served too, and answers UNIMPLEMENTED. */
export function csiServices(implementations: CsiImplementations): Service[] {
  return [
    service(Identity, implementations.identity),
    service(Controller, implementations.controller ?? {}),
    service(Node, implementations.node ?? {}),
    service(GroupController, {}),
    service(SnapshotMetadata, {}),
  ];
}
