/** Runs in a guest: takes connections on a TCP port of its, and passes each on to the plugin's socket. */
import { connect, createServer } from "node:net";

const [port, socketPath = ""] = process.argv.slice(2);

createServer((incoming) => {
  const plugin = connect(socketPath);
  incoming.on("error", () => plugin.destroy()).pipe(plugin);
  plugin.on("error", () => incoming.destroy()).pipe(incoming);
}).listen(Number(port));
