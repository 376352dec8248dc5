import { LimitExceededError } from '../../bytes.ts';
import { RegiError, type RegiErrorOptions } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { algorithmOf, type Digest, encodedOf, isDigest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import {
  indexTar,
  plainName,
  type RandomAccess,
  type TarEntry,
  type TarIndex,
} from '../../tar/index-tar.ts';
import { type LayoutIndex, parseJsonObject, parseLayoutIndex } from '../layout/index-json.ts';
import { describeNames } from '../not-found.ts';
import { type ArchiveFileOptions, openArchiveFile } from './file.ts';

/** A tar that is read, and what is in it. */
export interface OpenTar {
  readonly path: string;
  readonly file: RandomAccess;
  readonly tar: TarIndex;
}

/** Where the bytes of a node are. */
export type StoredContent =
  | {
      readonly kind: 'stored';
      readonly file: RandomAccess;
      readonly offset: number;
      readonly size: number;
    }
  | { readonly kind: 'made'; readonly bytes: Uint8Array };

/** The images of an archive, whatever its format is. */
export interface ArchiveContents {
  /** `oci`: an image layout. `docker`: what `docker save` wrote before version 25; its manifests are made here. */
  readonly format: 'oci' | 'docker';
  readonly index: LayoutIndex;
  find(digest: Digest): StoredContent | undefined;
}

/** A tar that holds no images, or holds them in a form that cannot be right. */
export class InvalidArchiveError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_ARCHIVE', message, options);
  }
}

/** The folder of the tar that an image layout is in: `` or `name/`; undefined when there is none. */
export function layoutRoot({ entries }: TarIndex): string | undefined {
  if (entries.has('oci-layout')) return '';
  // `tar cf images.tar folder` packs the folder too.
  const inside = [...entries.keys()].filter((name) => /^[^/]+\/oci-layout$/.test(name));
  const [only] = inside;
  return only === undefined || inside.length > 1 ? undefined : only.slice(0, -'oci-layout'.length);
}

/**
 * Reads an image layout in a tar. Blobs may be missing: archives of some platforms, and those that add to another, are like that.
 *
 * @throws {InvalidArchiveError} without index.json, or of another version than 1.0.0.
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
    throw new InvalidArchiveError(
      `Cannot read the archive ${JSON.stringify(open.path)}: expected an image layout of version 1.0.0, found ${found}`,
      {
        hint: 'write it again with a tool that makes layouts of version 1.0.0',
      },
    );
  }
  const index = parseLayoutIndex(await readMember(open, `${root}index.json`, options));
  return {
    format: 'oci',
    index,
    find: (digest) =>
      storedIn(open, open.tar.find(`${root}blobs/${algorithmOf(digest)}/${encodedOf(digest)}`)),
  };
}

/**
 * Reads a small file of the tar by the name that it, or another file of the tar, says. It is looked up in the tar and nowhere else.
 *
 * @throws {InvalidArchiveError} when it is not there.
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

export function missingMember(path: string, name: string): InvalidArchiveError {
  return new InvalidArchiveError(
    `Cannot read the archive ${JSON.stringify(path)}: expected the file ${quote(name)} in it, found none`,
    {
      hint: 'the archive is not whole; write it again',
    },
  );
}

/** Says what a tar without images seems to be. */
export function noImages(
  { path, tar }: OpenTar,
  format: ArchiveContents['format'] | undefined,
): InvalidArchiveError {
  const names = [
    ...new Set([...tar.entries.keys()].map((name) => plainName(name).split('/')[0] ?? '')),
  ];
  const member =
    format === 'oci'
      ? 'oci-layout'
      : format === 'docker'
        ? 'manifest.json'
        : 'oci-layout or manifest.json';
  const wanted = `Cannot read the archive ${JSON.stringify(path)}: expected ${member} in it`;
  if (names.length === 0)
    return new InvalidArchiveError(`${wanted}, found an empty tar`, {
      hint: 'write it again; check that the command that wrote it succeeded',
    });
  if (format !== undefined && (names.includes('manifest.json') || names.includes('oci-layout'))) {
    return new InvalidArchiveError(`${wanted}, found an archive of the other format`, {
      hint: 'write archive:FILE, which finds out by itself',
    });
  }
  if (names.includes('index.json'))
    return new InvalidArchiveError(`${wanted}, found index.json only`, {
      hint: 'pack the oci-layout file of the folder too',
    });
  if (names.includes('repositories'))
    return new InvalidArchiveError(`${wanted}, found what docker wrote before version 1.10`, {
      hint: 'save the image again with a current docker',
    });
  const isRoot = ['etc', 'usr', 'bin'].every((name) => names.includes(name));
  return new InvalidArchiveError(
    `${wanted}, found ${isRoot ? "an image's file system" : 'other files'}`,
    {
      hint: isRoot
        ? 'that is what "docker export" writes; "docker save" writes the image'
        : describeNames(names).replace('named images', 'files'),
    },
  );
}

export function storedIn(
  { file }: OpenTar,
  entry: TarEntry | undefined,
): StoredContent | undefined {
  return entry === undefined
    ? undefined
    : { kind: 'stored', file, offset: entry.offset, size: entry.size };
}

/** Every blob that an image layout in a tar carries, whether anything names it or not. None of other kinds of archives. */
export async function* archiveBlobs(
  path: string,
  options: ArchiveFileOptions,
): AsyncIterable<{ readonly digest: Digest; readonly size: number }> {
  const file = await openArchiveFile(path, options);
  try {
    const tar = await indexTar(file, {
      signal: options.signal,
      what: `the archive ${JSON.stringify(path)}`,
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
