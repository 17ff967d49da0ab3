import type { StorageOptions } from "../guest/storage.ts";
import { openDirectorySite } from "./directory-site.ts";
import { openGuestsSite } from "./guests-site.ts";
import { openNamespacesSite } from "./namespaces-site.ts";
import type { Program, Site, Tier } from "./site.ts";

export interface SiteOptions {
  readonly tier: Tier;
  readonly program: Program;
  readonly nodes: number;
  readonly driverName: string;
  readonly storage?: StorageOptions;
  readonly nodeMemoryMib?: number;
}

export async function openSite({ tier, nodes, ...options }: SiteOptions): Promise<Site> {
  switch (tier) {
    case "guests":
      return await openGuestsSite({ ...options, nodeCount: nodes });
    case "namespaces":
      return await openNamespacesSite({ ...options, nodeCount: nodes });
    case "directory":
      return await openDirectorySite({ ...options, nodeCount: nodes });
  }
}
