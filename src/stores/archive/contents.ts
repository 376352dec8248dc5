import { LimitExceededError } from '../../bytes.ts';
import type { RandomAccess } from '../../disk/random-access.ts';
import { RegiError, type RegiErrorOptions } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { algorithmOf, type Digest, encodedOf, isDigest } from '../../oci/digest.ts';
import { quote, quotePath } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import { indexTar, plainName, type TarEntry, type TarIndex } from '../../tar/index-tar.ts';
import {
  asImage,
  type LayoutIndex,
  parseJsonObject,
  parseLayoutIndex,
} from '../layout/index-json.ts';
import { describeNames } from '../not-found.ts';
import { type ArchiveFileOptions, openArchiveFile } from './file.ts';
import type { ArchiveFile } from './volumes.ts';

/** An open tar with its index. */
export interface OpenTar {
  readonly path: string;
  readonly file: RandomAccess & Pick<ArchiveFile, 'partsOf'>;
  readonly tar: TarIndex;
}

/** The place of a node's bytes. */
export interface StoredContent {
  /** The file that has the content. */
  readonly file: RandomAccess & Pick<ArchiveFile, 'partsOf'>;
  /** Where the content begins in it. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** The images of an archive of either format. */
export interface ArchiveContents {
  /**
   * `oci`: an image layout. `docker`: the format of `docker save` before version 25; its manifests
   * are made here.
   */
  readonly format: 'oci' | 'docker';
  /** The parsed index.json. */
  readonly index: LayoutIndex;
  /** Finds content by its digest; undefined where the archive lacks it. */
  find(digest: Digest): StoredContent | undefined;
}

/** Makes the error for a tar without images, or with malformed ones. */
export function invalidArchive(message: string, options?: RegiErrorOptions): RegiError {
  return new RegiError('INVALID_ARCHIVE', message, options);
}

/**
 * Returns the folder of an image layout in the tar, such as `` or `name/`; undefined when there is
 * none.
 */
export function layoutRoot({ entries }: TarIndex): string | undefined {
  if (entries.has('oci-layout')) return '';
  // `tar cf images.tar folder` packs the folder too.
  const inside = [...entries.keys()].filter((name) => /^[^/]+\/oci-layout$/.test(name));
  const [only] = inside;
  return only === undefined || inside.length > 1 ? undefined : only.slice(0, -'oci-layout'.length);
}

/**
 * Reads an image layout in a tar. Blobs may be missing, in archives of some platforms, and in
 * incremental ones.
 *
 * @throws {RegiError} INVALID_ARCHIVE without index.json, or when the version is not 1.0.0.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
export async function readOciContents(
  open: OpenTar,
  root: string,
  options?: CallOptions,
): Promise<ArchiveContents> {
  const marker = parseJsonObject(
    await readMember(open, `${root}oci-layout`, options),
    'oci-layout',
  );
  if (marker['imageLayoutVersion'] !== '1.0.0') {
    const found = JSON.stringify(marker['imageLayoutVersion']) ?? 'none';
    throw invalidArchive(
      `Cannot read the archive ${quotePath(open.path)}: expected an image layout of version 1.0.0, found ${found}`,
      {
        hint: 'write it again with a tool that makes layouts of version 1.0.0',
      },
    );
  }
  const bytes = await readMember(open, `${root}index.json`, options);
  const index = asImage(parseLayoutIndex(bytes), bytes);
  const nameOf = (digest: Digest): string =>
    digest === index.image?.digest
      ? 'index.json'
      : `blobs/${algorithmOf(digest)}/${encodedOf(digest)}`;
  return {
    format: 'oci',
    index,
    find: (digest) => storedIn(open, open.tar.find(`${root}${nameOf(digest)}`)),
  };
}

/**
 * Reads a small file of the tar. Its name may come from another file of the tar, and is looked up
 * nowhere else.
 *
 * @throws {RegiError} INVALID_ARCHIVE when it is missing.
 * @throws {LimitExceededError} when it is over 4 MiB.
 */
export async function readMember(
  { path, file, tar }: OpenTar,
  name: string,
  { signal }: CallOptions = {},
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  const entry = tar.find(name);
  if (entry === undefined) throw missingMember(path, name);
  if (entry.size > LIMITS.manifestBytes) {
    throw new LimitExceededError(
      `Cannot read ${quote(name)} of the archive: expected at most ${LIMITS.manifestBytes} bytes, found ${entry.size}`,
    );
  }
  const bytes = new Uint8Array(entry.size);
  const read = await file.read(bytes, entry.offset);
  return bytes.subarray(0, read);
}

export function missingMember(path: string, name: string): RegiError {
  return invalidArchive(
    `Cannot read the archive ${quotePath(path)}: expected the file ${quote(name)} in it, found none`,
    { hint: 'the archive is incomplete; write it again' },
  );
}

/** Makes the error for a tar without images, which names what the tar seems to be. */
export function noImages(
  { path, tar }: OpenTar,
  format: ArchiveContents['format'] | undefined,
): RegiError {
  const names = [
    ...new Set(
      [...tar.entries.keys()].map(
        (name) => plainName(name).replace(/^\/+/, '').split('/')[0] ?? '',
      ),
    ),
  ];
  const member =
    format === 'oci'
      ? 'oci-layout'
      : format === 'docker'
        ? 'manifest.json'
        : 'oci-layout or manifest.json';
  const wanted = `Cannot read the archive ${quotePath(path)}: expected ${member} in it`;
  if (names.length === 0)
    return invalidArchive(`${wanted}, found an empty tar`, {
      hint: 'write it again; check that the command that wrote it succeeded',
    });
  if (format !== undefined && (names.includes('manifest.json') || names.includes('oci-layout'))) {
    return invalidArchive(`${wanted}, found an archive of the other format`, {
      hint: 'use archive:FILE to detect the format',
    });
  }
  if (names.includes('index.json'))
    return invalidArchive(`${wanted}, found index.json only`, {
      hint: 'pack the oci-layout file of the folder too',
    });
  if (names.includes('repositories'))
    return invalidArchive(`${wanted}, found the format of docker before version 1.10`, {
      hint: 'save the image again with a current docker',
    });
  const isRoot = ['etc', 'usr', 'bin'].every((name) => names.includes(name));
  return invalidArchive(`${wanted}, found ${isRoot ? "an image's file system" : 'other files'}`, {
    hint: isRoot
      ? 'that is what "docker export" writes; "docker save" writes the image'
      : describeNames(names).replace('named images', 'files'),
  });
}

export function storedIn(
  { file }: OpenTar,
  entry: TarEntry | undefined,
): StoredContent | undefined {
  return entry === undefined ? undefined : { file, offset: entry.offset, size: entry.size };
}

/**
 * Lists every blob of an image layout in a tar, whether an image needs it or not; no blobs of other
 * archives.
 */
export async function* archiveBlobs(
  path: string,
  options: ArchiveFileOptions,
): AsyncIterable<{ readonly digest: Digest; readonly size: number }> {
  const file = await openArchiveFile(path, options);
  try {
    const tar = await indexTar(file, {
      signal: options.signal,
      what: `the archive ${quotePath(path)}`,
    });
    const root = layoutRoot(tar);
    if (root === undefined) return;
    for (const [name, { size }] of tar.entries) {
      const [, algorithm, encoded] = name.startsWith(root)
        ? (/^blobs\/([^/]+)\/([^/]+)$/.exec(name.slice(root.length)) ?? [])
        : [];
      const digest = `${algorithm}:${encoded}`;
      if (isDigest(digest)) yield { digest, size };
    }
  } finally {
    await file.close();
  }
}
