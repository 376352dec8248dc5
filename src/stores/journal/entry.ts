import { isDigest, type Digest } from '../../oci/digest.ts';
import type { ProcessIdentity } from '../../disk/processes.ts';

/** Something that was begun and is not finished. */
export type JournalSubject =
  /** An archive, which is written beside `path` as `path.part`. */
  | { readonly kind: 'archive'; readonly path: string }
  /** A layout folder with blobs that are not whole. */
  | { readonly kind: 'layout'; readonly path: string }
  /** An upload session of a registry. */
  | UploadSubject;

export interface UploadSubject {
  readonly kind: 'upload';
  /** Scheme, host and port of the registry. */
  readonly origin: string;
  readonly repository: string;
  readonly digest: Digest;
  /** Of the whole blob. Bytes. */
  readonly size: number;
  /** Where the next request goes, on `origin`. */
  readonly location: string;
  /** Bytes that the registry was given, at least; it says itself what it has. */
  readonly offset: number;
}

export interface JournalEntry {
  readonly subject: JournalSubject;
  /** Who is at work on it, or was. */
  readonly owner: ProcessIdentity;
  /** Milliseconds since 1970. */
  readonly writtenMs: number;
}

/** Undefined for what is no entry of this version: it is of no use then. */
export function parseJournalEntry(text: string): JournalEntry | undefined {
  const value = parseObject(text);
  if (value?.['version'] !== 1) return undefined;
  const subject = subjectOf(asObject(value['subject']));
  const owner = ownerOf(asObject(value['owner']));
  const writtenMs = value['writtenMs'];
  if (subject === undefined || owner === undefined || !isCount(writtenMs)) return undefined;
  return { subject, owner, writtenMs };
}

type Members = Readonly<Record<string, unknown>>;

function subjectOf(value: Members | undefined): JournalSubject | undefined {
  const { kind, path, origin, repository, digest, size, location, offset } = value ?? {};
  if (kind === 'archive' || kind === 'layout')
    return typeof path === 'string' && path !== '' ? { kind, path } : undefined;
  if (
    kind !== 'upload' ||
    typeof origin !== 'string' ||
    typeof repository !== 'string' ||
    typeof location !== 'string'
  )
    return undefined;
  if (
    typeof digest !== 'string' ||
    !isDigest(digest) ||
    !isCount(size) ||
    !isCount(offset) ||
    offset > size
  )
    return undefined;
  return isAt(location, origin)
    ? { kind, origin, repository, digest, size, location, offset }
    : undefined;
}

function ownerOf(value: Members | undefined): ProcessIdentity | undefined {
  const { pid, host, space, started } = value ?? {};
  if (
    !isCount(pid) ||
    typeof host !== 'string' ||
    typeof space !== 'string' ||
    typeof started !== 'string'
  )
    return undefined;
  return { pid, host, space, started };
}

/** Whoever can write the journal could else send the credentials of a registry elsewhere. */
function isAt(location: string, origin: string): boolean {
  if (!URL.canParse(location)) return false;
  const url = new URL(location);
  return url.origin === origin && url.username === '' && url.password === '';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function parseObject(text: string): Members | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function asObject(value: unknown): Members | undefined {
  return typeof value === 'object' && value !== null ? (value as Members) : undefined;
}
