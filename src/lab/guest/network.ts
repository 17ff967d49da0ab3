/**
 * A network of guests: a bridge in a network namespace of its own, with one tap for each guest, and a
 * veth pair whose other end is an interface of this machine. So a process here is a neighbour of the
 * guests, with an address and source ports that their servers see as they are: no relay, no translation.
 *
 *     this machine                      the room
 *     berth-xxxxxxxx 10.x.y.254 ─veth─ bridge 10.x.y.253 ─ tap1 ─ guest 10.x.y.1
 *                                                        └ tap2 ─ guest 10.x.y.2
 *
 * All of it ends with the room, and so with us.
 */
import { randomBytes, randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { assert } from "../../core/assert.ts";
import { check } from "./process.ts";
import { Room } from "./room.ts";

/** Where a guest is connected. */
export interface Port {
  /** The tap's name in the room. */
  readonly tap: string;
  readonly address: string;
  /** With the length of the network's prefix: `10.70.3.1/24`. */
  readonly addressWithPrefix: string;
}

const guestsMax = 200;
const hostNumber = 254;
const bridgeNumber = 253;

export class GuestNetwork implements AsyncDisposable {
  readonly room: Room;
  readonly #prefix: string;
  #guests = 0;

  private constructor(room: Room, prefix: string) {
    this.room = room;
    this.#prefix = prefix;
  }

  /** @throws BerthError `failed-precondition` without root */
  static async open(): Promise<GuestNetwork> {
    const room = await Room.open({ network: true });
    const network = new GuestNetwork(room, freePrefix());
    try {
      await network.#connectThisMachine();
      return network;
    } catch (reason) {
      await room[Symbol.asyncDispose]();
      throw reason;
    }
  }

  /** The address that the guests see this machine under. */
  get hostAddress(): string {
    return `${this.#prefix}.${hostNumber}`;
  }

  /** All addresses on this network, as an export names its clients: `10.70.3.0/24`. */
  get subnet(): string {
    return `${this.#prefix}.0/24`;
  }

  /** A place for one more guest. */
  async connect(): Promise<Port> {
    assert(this.#guests < guestsMax, "a guest network has room for 200 guests");
    this.#guests += 1;
    const tap = `tap${this.#guests}`;
    const address = `${this.#prefix}.${this.#guests}`;
    const commands = [`tuntap add dev ${tap} mode tap`, `link set ${tap} master bridge up`];
    await this.room.check(["ip", "-batch", "-"], { input: `${commands.join("\n")}\n` });
    return { tap, address, addressWithPrefix: `${address}/24` };
  }

  /** The address that a server in the room has. */
  get roomAddress(): string {
    return `${this.#prefix}.${bridgeNumber}`;
  }

  /** Connects another room, which has a network of its own. @returns its address */
  async attach(room: Room): Promise<string> {
    this.#guests += 1;
    const link = `room${this.#guests}`;
    const address = `${this.#prefix}.${this.#guests}`;
    const here = [
      `link add ${link} type veth peer name eth0 netns ${room.pid}`,
      `link set ${link} master bridge up`,
    ];
    const there = ["link set lo up", `address add ${address}/24 dev eth0`, "link set eth0 up"];
    await this.room.check(["ip", "-batch", "-"], { input: `${here.join("\n")}\n` });
    await room.check(["ip", "-batch", "-"], { input: `${there.join("\n")}\n` });
    return address;
  }

  /**
   * Pulls a guest's cable, or plugs it in again: no packet passes, no connection is told. At the bridge's end:
   * a guest that reads from a device which is down (EIO) gives the device up, and stays deaf (measured).
   */
  async setLink(port: Port, state: "up" | "down"): Promise<void> {
    const end = state === "up" ? ["master", "bridge"] : ["nomaster"];
    await this.room.check(["ip", "link", "set", port.tap, ...end]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.room[Symbol.asyncDispose]();
  }

  async #connectThisMachine(): Promise<void> {
    const link = `berth-${randomBytes(4).toString("hex")}`;
    const inside = [
      "link set lo up",
      "link add bridge type bridge",
      `address add ${this.#prefix}.${bridgeNumber}/24 dev bridge`,
      "link set bridge up",
      `link add uplink type veth peer name ${link}`,
      "link set uplink master bridge up",
      `link set ${link} netns ${process.pid}`,
    ];
    const outside = [`address add ${this.hostAddress}/24 dev ${link}`, `link set ${link} up`];
    await this.room.check(["ip", "-batch", "-"], { input: `${inside.join("\n")}\n` });
    await check(["ip", "-batch", "-"], { input: `${outside.join("\n")}\n` });
  }
}

/** The first three numbers of a /24 out of 10.64.0.0/10 that no interface here has. */
function freePrefix(): string {
  const taken = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  for (;;) {
    const prefix = `10.${randomInt(64, 128)}.${randomInt(0, 256)}`;
    if (!taken.some(({ address }) => address.startsWith(`${prefix}.`))) return prefix;
  }
}
