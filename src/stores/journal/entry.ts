import { parseIdentity, type ProcessIdentity } from '../../disk/processes.ts';
import { tryParseJson } from '../../json.ts';
import { isDigest, type Digest } from '../../oci/digest.ts';

/** Unfinished work. */
export type JournalSubject =
  /** An archive, in `path.part` until it is complete. */
  | { readonly kind: 'archive'; readonly path: string }
  /** A layout folder with partial blobs. */
  | { readonly kind: 'layout'; readonly path: string }
  /** An upload session of a registry. */
  | UploadSubject;

export interface UploadSubject {
  readonly kind: 'upload';
  /** Scheme, host and port of the registry. */
  readonly origin: string;
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes of the whole blob. */
  readonly size: number;
  /** URL of the next request, on `origin`. */
  readonly location: string;
  /** Bytes that the registry has at least; it reports the exact number. */
  readonly offset: number;
}

export interface JournalEntry {
  readonly subject: JournalSubject;
  /** The process that works on it, or did. */
  readonly owner: ProcessIdentity;
  /** Milliseconds since 1970. */
  readonly writtenMs: number;
}

/** Parses an entry; undefined when it is none of this version. */
export function parseJournalEntry(text: string): JournalEntry | undefined {
  const value = asObject(tryParseJson(text));
  if (value?.['version'] !== 1) return undefined;
  const subject = subjectOf(asObject(value['subject']));
  const owner = parseIdentity(value['owner']);
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

/**
 * Checks that a location is on its origin: a forged journal must not send the credentials of a
 * registry elsewhere.
 */
function isAt(location: string, origin: string): boolean {
  if (!URL.canParse(location)) return false;
  const url = new URL(location);
  return url.origin === origin && url.username === '' && url.password === '';
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function asObject(value: unknown): Members | undefined {
  return typeof value === 'object' && value !== null ? (value as Members) : undefined;
}
