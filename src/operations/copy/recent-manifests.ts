import { LIMITS } from '../../limits.ts';
import type { Results } from '../../concurrency/single-flight.ts';
import type { ManifestNode } from './read-manifest.ts';

type Kept = { readonly value: ManifestNode };

/** The manifests that were read last, as many as fit into a bound: a command may copy any number of images. */
export class RecentManifests implements Results<ManifestNode> {
  readonly #kept = new Map<string, Kept>();
  readonly #limit: number;
  #bytes = 0;

  /** @param limit of all their bytes. */
  constructor(limit: number = LIMITS.manifestsHeldBytes) {
    this.#limit = limit;
  }

  get(key: string): Kept | undefined {
    return this.#kept.get(key);
  }

  set(key: string, manifest: Kept): void {
    this.#drop(key);
    this.#kept.set(key, manifest);
    this.#bytes += manifest.value.bytes.byteLength;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.value.bytes.byteLength ?? 0;
    this.#kept.delete(key);
  }
}
