import { fileURLToPath } from 'node:url';

import { LimitExceededError } from '../../bytes.ts';
import { readConfigBytes } from '../../disk/config-file.ts';
import { InvalidConfigError } from '../../errors.ts';
import { algorithmOf, encodedOf, type Digest } from '../../oci/digest.ts';
import { quote } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import type { ContainersRule } from './requirement.ts';

/** Reads a URL without credentials; undefined only for a proven absence. */
export type ReadUrl = (url: URL, options: CallOptions) => Promise<Uint8Array | undefined>;

/** A GPG signature as a lookaside has it. */
export interface LookasideSignature {
  /** The end of its path, for people. */
  readonly origin: string;
  readonly bytes: Uint8Array;
}

export interface LookasideOptions extends CallOptions {
  readonly readUrl: ReadUrl;
}

const MAX_SIGNATURES = 128;

/**
 * Parses the base of a lookaside.
 *
 * @throws {InvalidConfigError} for anything but a `file:`, `http:` or `https:` URL. It is not
 *   quoted, because it may hold a password.
 */
export function parseLookaside(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const { protocol = 'none' } = url ?? {};
  if (url !== undefined && (WEB.has(protocol) || (protocol === 'file:' && isPath(url)))) return url;
  throw new InvalidConfigError(
    `Cannot use a lookaside of registries.d: expected a URL with file:///, http: or https:, found ${protocol}`,
    { hint: 'correct it there' },
  );
}

const WEB: ReadonlySet<string> = new Set(['http:', 'https:']);

/** False for a file on another host, and for a path with an encoded "/". */
function isPath(url: URL): boolean {
  try {
    fileURLToPath(url);
    return true;
  } catch {
    return false;
  }
}

/**
 * Reads the GPG signatures of a manifest, from number 1 up to the first that is absent.
 *
 * @throws {RegiError} for any other failure: it is never "unsigned". LIMIT_EXCEEDED for more than
 *   128.
 * @see https://github.com/containers/image/blob/v5.36.2/docs/signature-protocols.md
 */
export async function* readLookaside(
  { base, path }: NonNullable<ContainersRule['lookaside']>,
  digest: Digest,
  { readUrl, signal }: LookasideOptions,
): AsyncGenerator<LookasideSignature> {
  const folder = `${base.pathname.replace(/\/$/, '')}/${path}@${algorithmOf(digest)}=${encodedOf(digest)}`;
  for (let number = 1; number <= MAX_SIGNATURES; number += 1) {
    const url = new URL(base);
    url.pathname = `${folder}/signature-${number}`;
    const isFile = url.protocol === 'file:';
    const bytes = isFile
      ? await readConfigBytes(fileURLToPath(url), url.pathname)
      : await readUrl(url, { signal });
    if (bytes === undefined) return;
    yield { origin: `${encodedOf(digest).slice(0, 12)}…/signature-${number}`, bytes };
  }
  throw new LimitExceededError(
    `Cannot read more than ${MAX_SIGNATURES} signatures of ${digest} at ${quote(base.host)}`,
  );
}
