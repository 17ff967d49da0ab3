import { invalidParameter } from "./class-parameters.ts";

/** What a mount of a volume must not do, with the reason: by the name of an option, or by name and value. */
const refused: Readonly<Record<string, string>> = {
  addr: "the server is the class's or the configuration's",
  mountaddr: "the server is the class's or the configuration's",
  mounthost: "the server is the class's or the configuration's",
  bg: "a mount that goes on in the background cannot be told to Kubernetes",
  sharecache: "with it a forced unmount of one volume harms others of its server",
  bind: "the node makes an NFS mount",
  rbind: "the node makes an NFS mount",
  move: "the node makes an NFS mount",
  remount: "the node makes an NFS mount",
  loop: "the node makes an NFS mount",
  user: "only the node mounts",
  users: "only the node mounts",
  owner: "only the node mounts",
  noauto: "the node mounts it",
};
const textBytesMax = 1024;

/**
 * `mountOptions`: what the node adds to the mount of a volume, as mount(8) has it after `-o`. Checked when the
 * volume is created, and not when its first pod waits.
 * @throws BerthError `invalid-argument`
 */
export function checkMountOptions(text: string | undefined): void {
  if (text === undefined) return;
  const refuse = (cause: string, remedy: string) => invalidParameter("mountOptions", cause, remedy);
  if (Buffer.byteLength(text) > textBytesMax)
    throw refuse(`is longer than ${textBytesMax} bytes`, "use fewer");
  if (/[\p{Cc}\s\\"']/u.test(text)) {
    throw refuse(
      "has a space, quote, backslash or control character",
      "write options with commas between them: hard,noatime",
    );
  }
  for (const option of text.split(",")) checkOption(option, refuse);
}

function checkOption(option: string, refuse: (cause: string, remedy: string) => Error): void {
  const [, name, value] = /^([a-z][a-z0-9_-]*)(?:=(.+))?$/.exec(option) ?? [];
  if (name === undefined) {
    throw refuse(
      `has ${JSON.stringify(option)}, which is no option`,
      "write name or name=value, with commas between",
    );
  }
  const reason = Object.hasOwn(refused, name) ? refused[name] : undefined;
  if (reason !== undefined) throw refuse(`has ${name}`, `leave it out: ${reason}`);
  if (name === "sec" && !/^(sys|krb5[ip]?)$/.test(value ?? "")) {
    throw refuse(
      `has ${option}`,
      "write sys, krb5, krb5i or krb5p; the export must admit the controller with sys all the same",
    );
  }
  if ((name === "fstype" || name === "type") && value !== undefined)
    throw refuse(`has ${option}`, "leave it out");
}
