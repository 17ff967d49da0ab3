import type { BarePod, PodTemplate, VolumeMount, VolumeSource } from "../objects.ts";
import type { ManifestDocument } from "./manifest-document.ts";

type Path = readonly (string | number)[];

export function readBarePod(document: ManifestDocument): BarePod {
  return {
    kind: "Pod",
    namespace: document.namespace,
    name: document.name,
    nodeName: document.optionalText(["spec", "nodeName"]) ?? "",
    template: readTemplate(document, ["spec"]),
  };
}

/** The volumes of a pod, and where its containers want them: the lab has one container for all of them. */
export function readTemplate(document: ManifestDocument, spec: Path): PodTemplate {
  const volumes = entries(document, [...spec, "volumes"]).map((path) => readSource(document, path));
  const mounts = entries(document, [...spec, "containers"]).flatMap((container) =>
    entries(document, [...container, "volumeMounts"]).map((path) => readMount(document, path, volumes)),
  );
  return {
    volumes,
    mounts,
    uid: document.count([...spec, "securityContext", "runAsUser"], 0),
    gid: document.count([...spec, "securityContext", "runAsGroup"], 0),
  };
}

function readSource(document: ManifestDocument, path: Path): VolumeSource {
  const name = document.text([...path, "name"], "give the volume a name");
  const claim = [...path, "persistentVolumeClaim"];
  const csi = [...path, "csi"];
  if (document.has(claim) === document.has(csi)) {
    throw document.error(path, "is of a kind that the lab has not", "use persistentVolumeClaim or csi");
  }
  if (document.has(claim)) {
    const claimName = document.text([...claim, "claimName"], "name a PersistentVolumeClaim");
    return { kind: "claim", name, claimName, readOnly: document.boolean([...claim, "readOnly"], false) };
  }
  return {
    kind: "inline",
    name,
    driver: document.text([...csi, "driver"], "name the CSI driver"),
    attributes: document.map([...csi, "volumeAttributes"]),
    readOnly: document.boolean([...csi, "readOnly"], false),
  };
}

function readMount(document: ManifestDocument, path: Path, volumes: readonly VolumeSource[]): VolumeMount {
  const name = document.text([...path, "name"], "name one of the pod's volumes");
  if (!volumes.some((volume) => volume.name === name)) {
    throw document.error(
      [...path, "name"],
      `is "${name}", which is no volume of the pod`,
      "name one of them",
    );
  }
  const mountPath = document.text([...path, "mountPath"], "say where, such as /data");
  if (!isPlainPath(mountPath.slice(1)) || !mountPath.startsWith("/")) {
    throw document.error([...path, "mountPath"], `is "${mountPath}"`, "give an absolute path, such as /data");
  }
  const subPath = document.optionalText([...path, "subPath"]) ?? "";
  if (subPath !== "" && !isPlainPath(subPath)) {
    throw document.error([...path, "subPath"], `is "${subPath}"`, "give a relative path without ..");
  }
  return { name, mountPath, subPath, readOnly: document.boolean([...path, "readOnly"], false) };
}

function isPlainPath(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function entries(document: ManifestDocument, path: Path): Path[] {
  return Array.from({ length: document.length(path) }, (_, index) => [...path, index]);
}
