import { LimitExceededError } from '../../bytes.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import {
  isAttestation,
  childrenOf,
  type ImageManifest,
  type Manifest,
} from '../../oci/manifest.ts';
import {
  isEncryptedType,
  isForeignLayerType,
  isImageConfigType,
  isManifestType,
} from '../../oci/media-types.ts';
import { quote } from '../../quote.ts';
import { canLocate, type CallOptions, type FilePart, type Source } from '../../store.ts';
import { mapInOrder } from '../../concurrency/map-in-order.ts';
import { readImageConfig, readManifest } from '../copy/read-manifest.ts';
import { problemOf, verifyBlob, type NodeProblem } from './verify-blob.ts';

/** A root of a place, with its name. */
export interface NamedRoot {
  /** Undefined if it has no name. */
  readonly name: string | undefined;
  /** The manifest or index to verify. */
  readonly descriptor: Descriptor;
}

/** A node with a problem. The names are those of `--json`, and so are API. */
export interface FoundProblem {
  /**
   * `absent`: a manifest that a sparse index lists without its content, which is no fault.
   * `absent-in-base`: a layer that it omits because an earlier archive carried it. `extra`: no
   * manifest leads to it, which is no fault either.
   */
  readonly status: NodeProblem['status'] | 'absent' | 'absent-in-base' | 'extra';
  /** The digest of the node. */
  readonly digest: Digest;
  /** Undefined for an extra node. */
  readonly mediaType: string | undefined;
  /** Bytes, from its descriptor; for an extra node, those in the store. */
  readonly size: number;
  /** What is wrong; undefined where the status says it all. */
  readonly problem: string | undefined;
  /** The first of `images`. */
  readonly image: string | undefined;
  /** The names of all images that need it. */
  readonly images: readonly string[];
  /** Where the bytes of a corrupt node are; empty where the place cannot tell. */
  readonly files: readonly FilePart[];
}

type Problem = Omit<FoundProblem, 'image' | 'images' | 'files'>;

/** The result of a verification. */
export interface VerifyReport {
  /** True if no node is corrupt or missing, not even one that only an earlier archive has. */
  readonly whole: boolean;
  /** Images that were verified. */
  readonly images: number;
  /** Nodes that were read to their end and match their descriptors. */
  readonly verified: number;
  /** Bytes of the verified nodes. */
  readonly bytes: number;
  /** Everything that is missing or corrupt. */
  readonly problems: readonly FoundProblem[];
}

/** How images are verified. */
export interface VerifyOptions extends CallOptions {
  /** Also unpacks layers and compares them with the diff_ids of the configs. */
  readonly deep?: boolean | undefined;
  /** Accepts absent images of an index, as `docker save` and sparse copies leave them. */
  readonly isSparse?: boolean | undefined;
  /** Blobs that an incremental archive records as carried by an earlier one. */
  readonly omitted?: ReadonlySet<Digest> | undefined;
  /** All content of the place, to find extra nodes. */
  readonly blobs?: AsyncIterable<{ readonly digest: Digest; readonly size: number }> | undefined;
  /** Called with a layer whose unpacked bytes cannot be compared, because it is encrypted. */
  readonly onEncrypted?: ((layer: Descriptor) => void) | undefined;
  /** Nodes read at once. */
  readonly concurrency?: number | undefined;
}

const AT_ONCE = 8;

/**
 * Reads all nodes below `roots`, each once, and compares them with their descriptors.
 *
 * @throws errors that are not about the content: the network, a refused login, a failing disk.
 */
export async function verifyImages(
  source: Source,
  roots: readonly NamedRoot[],
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const walk = new Walk(source, options);
  let level: readonly Node[] = roots.map(({ descriptor }) => ({ descriptor, mayBeAbsent: false }));
  for (let depth = 0; level.length > 0; depth += 1) level = await walk.readManifests(level, depth);
  await walk.readBlobs();
  if (options.blobs !== undefined) await walk.findExtras(options.blobs);
  return walk.report(roots);
}

interface Node {
  readonly descriptor: Descriptor;
  readonly mayBeAbsent: boolean;
}

interface BlobNode extends Node {
  readonly diffIds: Set<string>;
}

class Walk {
  readonly #source: Source;
  readonly #options: VerifyOptions;
  readonly #signal: AbortSignal;
  /**
   * By digest and size: two descriptors of one digest with different sizes cannot both be right.
   */
  readonly #manifests = new Set<string>();
  readonly #blobs = new Map<string, BlobNode>();
  readonly #named = new Set<Digest>();
  readonly #problems: Problem[] = [];
  /** The manifests that list each node. */
  readonly #parents = new Map<Digest, Set<Digest>>();
  /** The images of each index that may lack some. */
  readonly #sparse: (readonly Digest[])[] = [];
  #verified = 0;
  #bytes = 0;

  constructor(source: Source, options: VerifyOptions) {
    this.#source = source;
    this.#options = options;
    this.#signal = options.signal ?? new AbortController().signal;
  }

  /**
   * Reads the manifests among `nodes`, which are `depth` levels below the roots, and returns their
   * children. Keeps blobs for `readBlobs()`.
   */
  async readManifests(nodes: readonly Node[], depth: number): Promise<readonly Node[]> {
    const fresh: Node[] = [];
    for (const node of nodes) {
      const { descriptor } = node;
      const key = keyOf(descriptor);
      this.#named.add(descriptor.digest);
      if (!isManifestType(descriptor.mediaType)) {
        if (!isForeignLayerType(descriptor.mediaType) && !this.#blobs.has(key))
          this.#blobs.set(key, { ...node, diffIds: new Set() });
      } else if (!this.#manifests.has(key)) {
        this.#manifests.add(key);
        if (depth <= LIMITS.indexDepth) fresh.push(node);
        else
          this.#add(descriptor, {
            status: 'corrupt',
            problem: `Expected at most ${LIMITS.indexDepth} levels of indexes, found more`,
          });
      }
    }
    if (this.#manifests.size > LIMITS.storeManifests)
      throw new LimitExceededError(
        `Cannot verify more than ${LIMITS.storeManifests} manifests of ${quote(this.#source.place)}`,
      );
    const read = await this.#all(fresh, (node, signal) => this.#readManifest(node, signal));
    return read.flat();
  }

  /** Reads every blob found. */
  async readBlobs(): Promise<void> {
    await this.#all(this.#blobs.values(), async ({ descriptor, diffIds }, signal) => {
      const found = await verifyBlob(this.#source, descriptor, diffIds, { signal });
      if (found === undefined) this.#count(descriptor);
      else if (found.status === 'missing' && this.#options.omitted?.has(descriptor.digest) === true)
        this.#add(descriptor, {
          status: 'absent-in-base',
          problem: 'an earlier archive carried it',
        });
      else this.#add(descriptor, found);
    });
  }

  async findExtras(
    blobs: AsyncIterable<{ readonly digest: Digest; readonly size: number }>,
  ): Promise<void> {
    for await (const { digest, size } of blobs) {
      this.#signal.throwIfAborted();
      if (!this.#named.has(digest))
        this.#problems.push({
          status: 'extra',
          digest,
          mediaType: undefined,
          size,
          problem: undefined,
        });
    }
  }

  report(roots: readonly NamedRoot[]): VerifyReport {
    const absent = new Set(
      this.#problems.filter(({ status }) => status === 'absent').map(({ digest }) => digest),
    );
    // An index without any of its images is of no use.
    const needed = new Set(
      this.#sparse.filter((images) => images.every((digest) => absent.has(digest))).flat(),
    );
    const problems = this.#problems.map((found): FoundProblem => {
      const images = this.#imagesOf(found.digest, roots);
      return {
        ...found,
        status: needed.has(found.digest) ? 'missing' : found.status,
        image: images[0],
        images,
        files:
          found.status === 'corrupt' && canLocate(this.#source)
            ? this.#source.locate(found.digest)
            : [],
      };
    });
    const whole = problems.every(({ status }) => status === 'absent' || status === 'extra');
    return {
      whole,
      images: roots.length,
      verified: this.#verified,
      bytes: this.#bytes,
      problems,
    };
  }

  #imagesOf(digest: Digest, roots: readonly NamedRoot[]): readonly string[] {
    const above = new Set([digest]);
    // A set that grows is iterated to its new end.
    for (const node of above) for (const parent of this.#parents.get(node) ?? []) above.add(parent);
    const names = roots.flatMap(({ name, descriptor }) =>
      name !== undefined && above.has(descriptor.digest) ? [name] : [],
    );
    return [...new Set(names)];
  }

  async #readManifest(
    { descriptor, mayBeAbsent }: Node,
    signal: AbortSignal,
  ): Promise<readonly Node[]> {
    try {
      const { manifest } = await readManifest(this.#source, descriptor, { signal });
      this.#count(descriptor);
      // docker saves one platform of an index, with neither the other platforms nor the
      // attestations.
      const mayLackChildren = this.#options.isSparse === true && manifest.kind === 'index';
      if (mayLackChildren)
        this.#sparse.push(
          manifest.manifests.filter((child) => !isAttestation(child)).map(({ digest }) => digest),
        );
      const children = childrenOf(manifest).map((child): Node => {
        const parents = this.#parents.get(child.digest) ?? new Set();
        this.#parents.set(child.digest, parents.add(descriptor.digest));
        return { descriptor: child, mayBeAbsent: mayLackChildren };
      });
      if (this.#options.deep === true) await this.#expectDiffIds(manifest, signal);
      return children;
    } catch (error) {
      signal.throwIfAborted();
      const found = problemOf(error);
      if (mayBeAbsent && found.status === 'missing')
        this.#add(descriptor, {
          status: 'absent',
          problem: 'the index lists it, and its content is not here',
        });
      else this.#add(descriptor, found);
      return [];
    }
  }

  /**
   * Records the diff_ids of the layers of an image. An unreadable config is reported with the
   * blobs.
   */
  async #expectDiffIds(manifest: Manifest, signal: AbortSignal): Promise<void> {
    if (manifest.kind !== 'image' || !isImageConfigType(manifest.config.mediaType)) return;
    const diffIds = await this.#readDiffIds(manifest, signal);
    if (diffIds === undefined) return;
    if (diffIds.length !== manifest.layers.length) {
      const problem = `It lists ${diffIds.length} diff_ids, but the manifest lists ${manifest.layers.length} layers`;
      this.#add(manifest.config, { status: 'corrupt', problem });
      return;
    }
    for (const [index, layer] of manifest.layers.entries()) {
      const diffId = diffIds[index];
      if (diffId === undefined || isForeignLayerType(layer.mediaType)) continue;
      if (isEncryptedType(layer.mediaType)) {
        this.#options.onEncrypted?.(layer);
        continue;
      }
      const node = this.#blobs.get(keyOf(layer)) ?? {
        descriptor: layer,
        mayBeAbsent: false,
        diffIds: new Set(),
      };
      this.#blobs.set(keyOf(layer), node);
      node.diffIds.add(diffId);
    }
  }

  async #readDiffIds(
    manifest: ImageManifest,
    signal: AbortSignal,
  ): Promise<readonly string[] | undefined> {
    try {
      return (await readImageConfig(this.#source, manifest, { signal }))?.diffIds;
    } catch (error) {
      signal.throwIfAborted();
      problemOf(error);
      return undefined;
    }
  }

  #count({ size }: Descriptor): void {
    this.#verified += 1;
    this.#bytes += size;
  }

  #add(
    { digest, mediaType, size }: Descriptor,
    { status, problem }: { status: FoundProblem['status']; problem: string },
  ): void {
    this.#problems.push({ status, digest, mediaType, size, problem });
  }

  /** Runs `work` for each item, some at once; all have settled when it returns or throws. */
  async #all<Item, Result>(
    items: Iterable<Item>,
    work: (item: Item, signal: AbortSignal) => Promise<Result>,
  ): Promise<readonly Result[]> {
    const results: Result[] = [];
    const options = { limit: this.#options.concurrency ?? AT_ONCE, signal: this.#signal };
    for await (const result of mapInOrder(items, options, work)) results.push(result);
    return results;
  }
}

function keyOf({ digest, size }: Descriptor): string {
  return `${digest} ${size}`;
}
