import { dirname } from "node:path";
import type { Room } from "../guest/room.ts";
import { quoted } from "../machine/machine.ts";
import type { Program } from "./site.ts";

/** A standing directory of every Debian, which a room covers with a memory file system of its own. */
export const roomDirectory = "/mnt";

/**
 * Puts the program where every user and every guest of the room can read it, wherever it is installed: also
 * below somebody's home.
 */
export async function stageProgram(room: Room, { node, flags, bundle }: Program): Promise<Program> {
  const script = `
mkdir /run/program
mount -t tmpfs -o mode=755 berth-lab /run/program
cp ${quoted(bundle)} /run/program/berth.js
cd ${quoted(dirname(bundle))}
cp program.js /run/program
cp -r cache /run/program 2>/dev/null || : 'compiled code only saves time'
cd /
chmod -R a+rX /run/program
touch /run/program/node
mount --bind ${quoted(node)} /run/program/node
mount --move /run/program ${roomDirectory}`;
  await room.check(["sh", "-ec", script]);
  return { node: `${roomDirectory}/node`, flags, bundle: `${roomDirectory}/berth.js` };
}
