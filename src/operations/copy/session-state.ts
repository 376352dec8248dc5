import { SingleFlight } from '../../concurrency/single-flight.ts';
import { isForeignLayerType, isManifestType } from '../../oci/media-types.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Source, Store } from '../../store.ts';
import { RecentManifests, type ManifestNode } from './read-manifest.ts';

/** What all images of a session have in common. */
export class SessionState {
  readonly landings = new SingleFlight<void>(new Map());
  readonly manifests = new SingleFlight<ManifestNode>(new RecentManifests());
  /** True after the first foreign layer that was left at its own URLs. */
  hasWarnedOfForeign = false;
  /** By place and digest. */
  readonly #holders = new Map<string, Map<string, Promise<boolean>>>();

  /**
   * Returns the repositories that have a blob or are about to; each promise says whether it
   * arrived.
   */
  repositoriesWith({ place }: Store, { digest }: Descriptor): Map<string, Promise<boolean>> {
    const key = `${place} ${digest}`;
    const known = this.#holders.get(key);
    if (known !== undefined) return known;
    const repositories = new Map<string, Promise<boolean>>();
    this.#holders.set(key, repositories);
    return repositories;
  }
}

/**
 * The kind is part of the key: one image may leave a layer at its own URLs that another image
 * carries.
 */
export function nodeKey(store: Source, { mediaType, digest, size }: Descriptor): string {
  const kind = isManifestType(mediaType)
    ? 'manifest'
    : isForeignLayerType(mediaType)
      ? 'foreign'
      : 'blob';
  return `${store.place} ${store.repository} ${kind} ${digest} ${size}`;
}
