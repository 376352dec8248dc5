import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isDigest, isDigestTag, type Digest } from '../../oci/digest.ts';
import { repositoryName, type Reference, type Repository } from '../../oci/reference.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { quote } from '../../quote.ts';
import {
  canListReferrers,
  type Bytes,
  type CallOptions,
  type FetchOptions,
  type NamedImage,
  type ReferrerOptions,
  type Source,
} from '../../store.ts';
import type { ImageSource } from '../../targets/opened-store.ts';

/**
 * One repository of an archive, a layout or the local store, as a source whose tags are the
 * recorded names.
 */
export class HeldSource implements Source {
  readonly place: string;
  readonly repository: string;
  readonly name: Repository;
  /** Layers that the place leaves out, and the repositories that had them. */
  readonly omitted: ReadonlyMap<Digest, readonly string[]>;
  readonly #store: Source;
  readonly #tags: ReadonlyMap<string, Descriptor>;
  readonly #isUnnamed: boolean;

  constructor(
    name: Repository,
    { store, omitted, unnamed }: ImageSource,
    tags: ReadonlyMap<string, Descriptor>,
  ) {
    this.name = name;
    this.place = store.place;
    this.repository = store.repository;
    this.omitted = new Map(omitted.map(({ digest, repositories }) => [digest, repositories]));
    this.#store = store;
    this.#tags = tags;
    this.#isUnnamed = repositoryName(name) === repositoryName(unnamed);
  }

  async resolve(reference: string, options?: CallOptions): Promise<Descriptor> {
    const root = this.#tags.get(reference);
    if (root !== undefined) return root;
    if (isDigest(reference)) return this.#store.resolve(reference, options);
    if (isDigestTag(reference)) {
      // An entry of one image lists that image alone. Its signatures have tags of their own.
      const name = this.#isUnnamed ? reference : `${repositoryName(this.name)}:${reference}`;
      return this.#store.resolve(name, options);
    }
    throw new RegiError(
      'NOT_FOUND',
      `Cannot find ${quote(`${repositoryName(this.name)}:${reference}`)} in "${this.place}"`,
      { hint: 'list its images: regi tags list PLACE' },
    );
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return this.#store.fetch(target, options);
  }

  exists(target: Descriptor, options?: CallOptions): Promise<boolean> {
    return this.#store.exists(target, options);
  }

  async *listTags(): AsyncIterable<string> {
    yield* this.#tags.keys();
  }

  async *listReferrers(target: Descriptor, options?: ReferrerOptions): AsyncIterable<Descriptor> {
    if (canListReferrers(this.#store)) yield* this.#store.listReferrers(target, options);
  }
}

export interface HeldSourcesOptions {
  /** The repository or image that is meant; all when absent. */
  readonly only: Reference | undefined;
  readonly signal: AbortSignal | undefined;
  readonly warn: (message: string) => void;
  /** The place as written. */
  readonly text: string;
}

/**
 * Groups the images of a place by their repository. An image without a tag is left out, with a
 * warning: it has no name to go to. Referrers come with their subjects.
 */
export async function heldSources(
  source: ImageSource,
  { only, signal, warn, text }: HeldSourcesOptions,
): Promise<readonly HeldSource[]> {
  const groups = new Map<string, { name: Repository; tags: Map<string, Descriptor> }>();
  let unnamed = 0;
  for (const image of source.images) {
    const { tag, root, repository: name = source.unnamed } = image;
    if (only !== undefined && !isMeant(image, name, only)) continue;
    if (tag === undefined) {
      if (!(await isReferrer(source, root, { signal }))) unnamed += 1;
      continue;
    }
    const key = repositoryName(name);
    const group = groups.get(key) ?? { name, tags: new Map<string, Descriptor>() };
    groups.set(key, group);
    group.tags.set(tag, root);
  }
  if (unnamed > 0) warn(`${unnamed} images of ${quote(text)} have no tag and are left out`);
  return [...groups.values()].map(({ name, tags }) => new HeldSource(name, source, tags));
}

function isMeant({ tag, root }: NamedImage, name: Repository, only: Reference): boolean {
  if (name.domain !== only.domain || name.path !== only.path) return false;
  if (only.digest !== undefined) return root.digest === only.digest;
  return only.tag === undefined || only.tag === tag;
}

async function isReferrer(
  { store }: ImageSource,
  root: Descriptor,
  options: CallOptions,
): Promise<boolean> {
  try {
    return (await readManifest(store, root, options)).manifest.subject !== undefined;
  } catch (error) {
    if (error instanceof RegiError) return false;
    throw error;
  }
}
