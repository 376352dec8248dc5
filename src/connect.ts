// oxlint-disable-next-line no-restricted-imports -- credentials: 'docker' asks for the logins that the environment points at
import * as runtime from 'node:process';
import { resolve } from 'node:path';

import type { CredentialSource } from './credentials/credential.ts';
import { createDockerSource } from './credentials/docker/source.ts';
import { findHome } from './disk/home-folder.ts';
import { RegiError } from './errors.ts';
import type { Descriptor, Platform } from './oci/descriptor.ts';
import { parseMediaType } from './oci/media-types.ts';
import { parsePlatform } from './oci/platform.ts';
import { imageName } from './oci/reference.ts';
import {
  copyImage,
  type CopiedImage,
  type CopyImageOptions,
} from './operations/copy/copy-image.ts';
import type { OnEvent } from './operations/copy/events.ts';
import { totalProgress, type CopyProgress } from './operations/copy/progress.ts';
import { readManifest, type ManifestNode } from './operations/copy/read-manifest.ts';
import { resolveImage } from './operations/copy/resolve-image.ts';
import { artifactFiles, makeArtifact } from './operations/edit/artifact.ts';
import { planDelete } from './operations/edit/delete-plan.ts';
import { memorySource } from './operations/edit/memory-source.ts';
import { readCreated } from './operations/inspect/read-created.ts';
import { quote } from './quote.ts';
import {
  canDelete,
  canKeepUnnamed,
  canListReferrers,
  canListTags,
  canUntag,
  type CallOptions,
  type ReferrerOptions,
} from './store.ts';
import {
  createRegistryClient,
  type RegistryClientOptions,
} from './stores/registry/registry-client.ts';
import { parseLocation, parseRepositoryLocation } from './targets/location.ts';
import { openImage, type ImageUse, type OpenedImage } from './targets/open-image.ts';

/** How `connect()` reaches registries. Nothing is read that is not asked for here. */
export interface ConnectOptions extends Omit<RegistryClientOptions, 'credentials'> {
  /**
   * `'docker'`: the logins of docker's config.json and the credential helpers it names; regi's own keychain is not read. A
   * function: called after a challenge. Without it all requests are anonymous.
   */
  readonly credentials?: 'docker' | CredentialSource | undefined;
}

/** Options of one copy. */
export interface CopyOptions extends Omit<CopyImageOptions, 'platforms'> {
  /** The platforms to copy: `linux/arm64`. One makes that platform's image, several an index. All of them when absent. */
  readonly platforms?: readonly (string | Platform)[] | undefined;
  /** Called when bytes have moved, or more were found that have to. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Called with everything that happens. */
  readonly onEvent?: OnEvent | undefined;
}

/** Options of calls that look at one image. */
export interface ImageOptions extends CallOptions {
  /** `linux/arm64`: the image of that platform in an index. The index itself when absent. */
  readonly platform?: string | Platform | undefined;
}

/** Files to attach to an image. */
export interface AttachOptions extends ImageOptions {
  /** The artifact's type, a media type: `application/spdx+json`. */
  readonly type: string;
  /** Paths, relative to the working directory. Each file's own name becomes its title. */
  readonly files: readonly string[];
  /** The media type of the files. Without it `.json` files are JSON, and all others bytes. */
  readonly mediaType?: string | undefined;
  /** Annotations of the artifact's manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Options of a deletion. */
export interface DeleteOptions extends CallOptions {
  /** Deletes the manifest although tags name it: they go with it. */
  readonly evenIfTagged?: boolean | undefined;
}

/**
 * Registries, layouts and archives by their names, as the command line takes them.
 *
 * An image is a reference (`debian:12`, `registry.example/team/app@sha256:…`), `oci:DIR[:TAG|@DIGEST]` for an image layout
 * folder, or, to be read, `archive:FILE[:NAME|@DIGEST]` for an image tar. Paths are relative to the working directory.
 *
 * All methods throw a `RegiError` for what may be expected to fail, and the signal's reason when it aborts.
 */
export interface Regi {
  /**
   * Copies an image with everything below it. Existing blobs do not move, every byte is verified, and the tag moves last. A
   * registry reference without a tag means `latest`; a layout without a tag keeps the tag of the source.
   *
   * @throws {CopyError} with the code of its cause.
   */
  copy(from: string, to: string, options?: CopyOptions): Promise<CopiedImage>;
  /** Lists the tags of a repository, page by page, in the registry's own order. */
  tags(repository: string, options?: CallOptions): AsyncIterable<string>;
  /**
   * Finds the manifest that a name points at: its digest, size and media type.
   *
   * @throws {RegiError} with code NOT_FOUND when the registry says that it lacks the image.
   */
  resolve(image: string, options?: ImageOptions): Promise<Descriptor>;
  /** Reads a manifest or index, verified: parsed, with its descriptor, and as the bytes that the digest is over. */
  manifest(image: string, options?: ImageOptions): Promise<ManifestNode>;
  /** Reads when an image was made, as its annotations or config say. Undefined where they do not say it. */
  created(image: string, options?: CallOptions): Promise<Date | undefined>;
  /** Lists the manifests that refer to an image: signatures, SBOMs, attestations. */
  referrers(image: string, options?: ImageOptions & ReferrerOptions): AsyncIterable<Descriptor>;
  /** Attaches files to an image, as an artifact that refers to it. Returns the artifact's manifest. */
  attach(image: string, options: AttachOptions): Promise<Descriptor>;
  /**
   * Deletes one tag and nothing else.
   *
   * @throws {RegiError} with code REFUSED where the registry can delete only whole images; nothing is deleted then.
   */
  untag(image: string, options?: CallOptions): Promise<void>;
  /**
   * Deletes a manifest by its digest.
   *
   * @throws {RegiError} with code REFUSED, naming the tags, when any tag names the digest or the tags cannot be listed. All tags
   *   are looked up for that.
   */
  delete(image: string, options?: DeleteOptions): Promise<void>;
  /** Closes all connections. Calls in progress fail. */
  close(): Promise<void>;
  /** Does the same as `close()`, at the end of the block of `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Words such as `arm64` mean linux, whatever machine this is: a program must do the same everywhere. */
const HOST: Platform = { os: 'linux', architecture: 'amd64' };
/** Tags looked up together before a deletion. */
const TAGS_AT_ONCE = 16;

/** Makes a client of registries, layouts and archives. Close it at the end. */
export function connect(options: ConnectOptions = {}): Regi {
  const registries = createRegistryClient({ ...options, credentials: sourceOf(options) });

  async function using<T>(
    image: string,
    use: ImageUse,
    { signal }: CallOptions,
    work: (opened: OpenedImage) => Promise<T>,
  ): Promise<T> {
    const opened = await openImage(parseLocation(image), use, registries, { signal });
    try {
      return await work(opened);
    } finally {
      await opened.close();
    }
  }

  async function find({ store, reference }: OpenedImage, call: ImageOptions): Promise<Descriptor> {
    const { platform } = call;
    return resolveImage(
      store,
      reference,
      platform === undefined ? undefined : platformOf(platform),
      call,
    );
  }

  const close = (): Promise<void> => registries.close();
  return {
    copy: (from, to, call = {}) =>
      using(from, 'read', call, (source) =>
        using(to, 'create', call, (destination) => copyBetween(source, destination, call)),
      ),
    async *tags(repository, call = {}) {
      const location = parseRepositoryLocation(repository);
      const { store, name, close: done } = await openImage(location, 'read', registries, call);
      try {
        if (!canListTags(store)) throw cannot(`list the tags of ${quote(name)}`);
        yield* store.listTags({ whole: true, ...call });
      } finally {
        await done();
      }
    },
    resolve: (image, call = {}) => using(image, 'read', call, (opened) => find(opened, call)),
    manifest: (image, call = {}) =>
      using(image, 'read', call, async (opened) =>
        readManifest(opened.store, await find(opened, call), call),
      ),
    created: (image, call = {}) =>
      using(image, 'read', call, async (opened) => {
        const text = await readCreated(opened.store, await find(opened, call), call);
        const date = new Date(text ?? '');
        return Number.isNaN(date.getTime()) ? undefined : date;
      }),
    async *referrers(image, call = {}) {
      const opened = await openImage(parseLocation(image), 'read', registries, call);
      try {
        if (!canListReferrers(opened.store))
          throw cannot(`list referrers in ${quote(opened.name)}`);
        yield* opened.store.listReferrers(await find(opened, call), call);
      } finally {
        await opened.close();
      }
    },
    attach: (image, call) =>
      using(image, 'change', call, async (opened) =>
        attachTo(opened, await find(opened, call), call),
      ),
    untag: (image, call = {}) =>
      using(image, 'change', call, async ({ store, tag, digest, name }) => {
        // "latest" is not deleted by leaving it out.
        if (tag === undefined || digest !== undefined)
          throw new RegiError(
            'USAGE',
            `Cannot untag ${quote(image)}: expected a tag and no digest`,
            {
              hint: `write ${quote(`${name}:TAG`)}`,
            },
          );
        if (!canUntag(store)) throw cannot(`delete tags in ${quote(name)}`);
        await store.untag(tag, call);
      }),
    delete: (image, call = {}) =>
      using(image, 'change', call, (opened) => deleteFrom(opened, call)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function sourceOf({
  credentials,
  onWarning = () => {},
}: ConnectOptions): CredentialSource | undefined {
  if (credentials !== 'docker') return credentials;
  return createDockerSource({
    env: runtime.env,
    home: findHome(runtime.getuid?.()).path,
    warn: onWarning,
  });
}

async function copyBetween(
  from: OpenedImage,
  to: OpenedImage,
  options: CopyOptions,
): Promise<CopiedImage> {
  const { onEvent, onProgress, platforms, signal } = options;
  const count = onProgress && totalProgress(onProgress);
  const isLayout = canKeepUnnamed(to.store);
  const tag = to.tag ?? (to.digest !== undefined ? undefined : isLayout ? from.tag : 'latest');
  const copied = await copyImage(
    {
      source: from.store,
      reference: from.reference,
      destination: to.store,
      tag,
      pinned: to.digest,
      image: imageName(to.name, { tag, digest: to.digest }),
    },
    {
      ...options,
      platforms: platforms?.map(platformOf),
      onEvent(event) {
        count?.(event);
        onEvent?.(event);
      },
    },
  );
  if (tag === undefined && canKeepUnnamed(to.store))
    await to.store.keepUnnamed(copied.root, { signal });
  return copied;
}

async function attachTo(
  { store, name }: OpenedImage,
  subject: Descriptor,
  options: AttachOptions,
): Promise<Descriptor> {
  const { annotations = {}, signal } = options;
  const artifactType = parseMediaType('type', options.type);
  const mediaType = options.mediaType && parseMediaType('mediaType', options.mediaType);
  const files = await artifactFiles(
    options.files.map((path) => resolve(path)),
    { mediaType, signal },
  );
  const { root, nodes } = makeArtifact({ artifactType, subject, files, annotations });
  const job = { source: memorySource(nodes), reference: root.digest, destination: store };
  await copyImage({ ...job, image: imageName(name, root) }, { signal });
  return root;
}

async function deleteFrom(
  { store, name, digest }: OpenedImage,
  options: DeleteOptions,
): Promise<void> {
  const { signal = new AbortController().signal } = options;
  if (digest === undefined)
    throw new RegiError('USAGE', `Cannot delete an image of ${quote(name)}: expected a digest`, {
      hint: 'resolve() finds the digest of a tag; untag() deletes the tag alone',
    });
  if (!canDelete(store)) throw cannot(`delete images in ${quote(name)}`);
  const target = await store.resolve(digest, { signal });
  if (options.evenIfTagged !== true) {
    const { tags } = await planDelete(store, target, { signal, limit: TAGS_AT_ONCE });
    if (tags?.length !== 0)
      throw new RegiError(
        'REFUSED',
        `Cannot delete ${quote(imageName(name, { digest }))}: ${tags === undefined ? 'the tags that name it cannot be listed' : `it has the tags ${tags.map(quote).join(', ')}`}`,
        { hint: 'delete it with { evenIfTagged: true }, and its tags with it', details: { tags } },
      );
  }
  await store.delete(target, { signal });
}

function platformOf(platform: string | Platform): Platform {
  return typeof platform === 'string' ? parsePlatform(platform, HOST) : platform;
}

function cannot(action: string): RegiError {
  return new RegiError('UNSUPPORTED', `Cannot ${action}`, {
    hint: 'name an image in a registry, or in a layout as oci:DIR',
  });
}
