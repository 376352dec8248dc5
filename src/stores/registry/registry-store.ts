import { collectVerified } from '../../bytes.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, isDigest, isDigestTag, parseDigest, type Digest } from '../../oci/digest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { parseTag, type Tag } from '../../oci/reference.ts';
import { blobExists, deleteBlob, fetchBlob, resolveBlob } from '../../registry/blobs.ts';
import type { Connection } from '../../registry/connection.ts';
import { isResponseError } from '../../registry/errors.ts';
import {
  deleteManifest,
  putManifest,
  type PutManifestResult,
} from '../../registry/manifest-writes.ts';
import {
  fetchManifest,
  manifestExists,
  resolveManifest,
  type FetchedManifest,
} from '../../registry/manifests.ts';
import { mountBlob, offerBlob } from '../../registry/upload/mounts.ts';
import { addToReferrersIndex, removeFromReferrersIndex } from '../../registry/referrers-index.ts';
import { hasReferrersApi, listReferrers } from '../../registry/referrers.ts';
import { lacksReferrersApi } from '../../registry/referrers-support.ts';
import type { RemoteRepository, UploadJournal } from '../../registry/remote-repository.ts';
import { listTags } from '../../registry/lists.ts';
import { forgetUpload } from '../../registry/upload/journal.ts';
import { uploadBlob } from '../../registry/upload/upload.ts';
import type {
  BlobResolver,
  Bytes,
  CallOptions,
  Deleter,
  Deletion,
  FetchOptions,
  ListOptions,
  Mounter,
  Offerer,
  PushOptions,
  ReferrerLister,
  ReferrerOptions,
  ResolveOptions,
  Store,
  TagLister,
  Untagger,
} from '../../store.ts';
import { NotInStoreError } from '../not-found.ts';
import { referrerOf } from '../referrer.ts';

export interface RegistryStoreOptions {
  readonly connection: Connection;
  /** Checked by the reference grammar. */
  readonly repository: string;
  /**
   * `write` for a destination: its reads use the token of its writes. `read` when absent, which
   * allows writes, too.
   */
  readonly access?: 'read' | 'write' | undefined;
  /** Records unfinished uploads for the next run; without it they are cancelled. */
  readonly uploads?: UploadJournal | undefined;
}

/** One repository of a registry, with all capabilities. */
export type RegistryStore = Store &
  Mounter &
  Offerer &
  TagLister &
  ReferrerLister &
  Deleter &
  Untagger &
  BlobResolver;

/**
 * Makes the Store of one repository of a registry. The media type distinguishes manifests from
 * blobs.
 */
export function createRegistryStore({
  connection,
  repository,
  access = 'read',
  uploads,
}: RegistryStoreOptions): RegistryStore {
  return new RemoteStore({ connection, name: repository, access, uploads });
}

class RemoteStore implements RegistryStore {
  readonly place: string;
  readonly repository: string;
  readonly #remote: RemoteRepository;
  /** The last tag that led to each manifest. */
  readonly #tags = new Map<Digest, Tag>();
  /** True after one blob was found, because the others probably exist too. */
  #areOthersLikely = false;

  constructor(remote: RemoteRepository) {
    this.place = `registry:${remote.connection.name}`;
    this.repository = remote.name;
    this.#remote = remote;
  }

  async resolve(reference: string, options: ResolveOptions = {}): Promise<Descriptor> {
    const name = checked(reference);
    if (
      options.listed?.has(name) === false &&
      isDigestTag(name) &&
      (await lacksReferrersApi(this.#remote))
    )
      throw new NotInStoreError(name, this.repository, 'its list of tags lacks it');
    const found = await resolveManifest(this.#remote, name, options);
    if (!isDigest(name)) this.#tags.set(found.digest, name);
    return found;
  }

  async resolveBlob(digest: Digest, options: CallOptions = {}): Promise<Descriptor> {
    return resolveBlob(this.#remote, digest, options);
  }

  fetch(target: Descriptor, options: FetchOptions = {}): Bytes {
    return isManifestType(target.mediaType) || options.asManifest === true
      ? this.#openManifest(target, options)
      : fetchBlob(this.#remote, target, options);
  }

  async exists(target: Descriptor, options: CallOptions = {}): Promise<boolean> {
    if (isManifestType(target.mediaType))
      return manifestExists(this.#remote, target.digest, options);
    const isThere = await blobExists(this.#remote, target, options);
    if (isThere) await forgetUpload({ repository: this.#remote, target });
    return isThere;
  }

  async push(
    expected: Descriptor,
    content: Bytes,
    { tag, asManifest = false, signal }: PushOptions = {},
  ): Promise<void> {
    const name = tag === undefined ? undefined : parseTag(tag);
    if (!isManifestType(expected.mediaType) && !asManifest)
      return uploadBlob(this.#remote, expected, content, { signal });
    const bytes = await collectVerified(content, expected, LIMITS.manifestBytes);
    await this.#put({ descriptor: expected, bytes }, name, { signal });
  }

  async tag(target: Descriptor, reference: string, options: CallOptions = {}): Promise<void> {
    const tag = parseTag(reference);
    await this.#put(await this.#fetchManifest(target.digest, options), tag, options);
  }

  async mount(
    target: Descriptor,
    from: string,
    content: Bytes | undefined,
    { signal }: CallOptions = {},
  ): Promise<'mounted' | 'copied' | 'refused'> {
    return mountBlob(this.#remote, target, from, { content, signal });
  }

  async offer(
    target: Descriptor,
    content: Bytes,
    { signal }: CallOptions = {},
  ): Promise<'there' | 'copied'> {
    const outcome = await offerBlob(this.#remote, target, content, {
      opensAhead: !this.#areOthersLikely,
      signal,
    });
    if (outcome === 'there') {
      this.#areOthersLikely = true;
      await forgetUpload({ repository: this.#remote, target });
    }
    return outcome;
  }

  listTags(options: ListOptions = {}): AsyncIterable<string> {
    return listTags(this.#remote, options);
  }

  listReferrers(target: Descriptor, options: ReferrerOptions = {}): AsyncIterable<Descriptor> {
    return listReferrers(this.#remote, target, options);
  }

  async delete(target: Descriptor, options: CallOptions = {}): Promise<Deletion> {
    if (!isManifestType(target.mediaType)) {
      await deleteBlob(this.#remote, target, options);
      return {};
    }
    const { bytes, descriptor } = await fetchManifest(this.#remote, target.digest, options);
    await deleteManifest(this.#remote, target.digest, options);
    const subject = referrerOf(bytes, descriptor)?.subject;
    if (subject !== undefined && !(await hasReferrersApi(this.#remote, subject, options)))
      await removeFromReferrersIndex(this.#remote, subject, target.digest, options);
    return {};
  }

  async untag(tag: string, options: CallOptions = {}): Promise<void> {
    await deleteManifest(this.#remote, parseTag(tag), options);
  }

  #openManifest(target: Descriptor, { offset = 0, signal }: FetchOptions): Bytes {
    const read = (): Promise<FetchedManifest> => this.#fetchManifest(target.digest, { signal });
    return {
      async *[Symbol.asyncIterator]() {
        const { bytes } = await read();
        if (offset < bytes.byteLength) yield bytes.subarray(offset);
      },
    };
  }

  /**
   * Fetches by digest; when it is missing although a tag has just led to it, by that tag:
   * docker.pkg.github.com knows no digests.
   */
  async #fetchManifest(digest: Digest, options: CallOptions): Promise<FetchedManifest> {
    try {
      return await fetchManifest(this.#remote, digest, options);
    } catch (error) {
      const tag = this.#tags.get(digest);
      if (tag === undefined || !isResponseError(error, 'NOT_FOUND')) throw error;
      const named = await fetchManifest(this.#remote, tag, options);
      if (named.descriptor.digest !== digest) throw error;
      return named;
    }
  }

  async #put(manifest: FetchedManifest, tag: Tag | undefined, options: CallOptions): Promise<void> {
    const { subject, isFound = false } = await this.#putUnder(manifest, tag, options);
    const referrer =
      subject === undefined ? referrerOf(manifest.bytes, manifest.descriptor) : undefined;
    if (referrer === undefined) return;
    // The manifest was found, so no response to a PUT showed whether the registry lists referrers.
    if (isFound && (await hasReferrersApi(this.#remote, referrer.subject, options))) return;
    await addToReferrersIndex(this.#remote, referrer.subject, referrer.descriptor, options);
  }

  /** Returns a subject if the registry itself lists the manifest among its referrers. */
  async #putUnder(
    manifest: FetchedManifest,
    tag: Tag | undefined,
    options: CallOptions,
  ): Promise<PutManifestResult> {
    const { digest } = manifest.descriptor;
    // A registry would store a manifest that is pushed by tag alone under its sha256, and the tag
    // would name that digest.
    const needsDigest = tag === undefined || algorithmOf(digest) !== 'sha256';
    const named = needsDigest
      ? await putManifest(this.#remote, digest, manifest, { ...options, tag })
      : undefined;
    if (named !== undefined && (tag === undefined || named.tags.includes(tag))) return named;
    return putManifest(this.#remote, tag ?? digest, manifest, options);
  }
}

/** Checks a reference before it becomes a path. */
function checked(reference: string): Digest | Tag {
  return isDigest(reference) || reference.includes(':')
    ? parseDigest(reference)
    : parseTag(reference);
}
