import type { Room } from "../guest/room.ts";
import { RoomMachine } from "../machine/room-machine.ts";
import type { DriverPlace } from "./site.ts";

/** `nobody`: the controller needs neither root nor anything of root's. */
const unprivileged = [
  ...["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
  ...["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"],
];

/** In the room: on the guests' network, as a user who may do nothing. */
export async function unprivilegedController(room: Room): Promise<DriverPlace> {
  const directory = "/run/controller";
  await room.check(["install", "-d", "-o", "65534", "-g", "65534", "-m", "755", directory]);
  const socketPath = `${directory}/csi.sock`;
  return {
    machine: new RoomMachine("controller", room),
    socketPath,
    target: `unix://${room.path(socketPath)}`,
    nodeFlags: [],
    configPath: `${directory}/berth.yaml`,
    runAs: unprivileged,
  };
}
