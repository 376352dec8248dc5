import * as z from 'zod/mini';

import { RegiError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { strictProtobufJson } from '../strict-text.ts';

/** A key of a trusted root, and the time for which it vouches. */
export interface TrustedKey {
  /** Its address, or the name of a certificate authority. */
  readonly name: string;
  /** base64; undefined for certificate authorities. */
  readonly id: string | undefined;
  /** Begin of the time in which it counts. */
  readonly start: Date;
  /** End of that time; undefined while it lasts. */
  readonly end: Date | undefined;
}

/** The certificate authorities and logs whose word counts. Made by `parseTrustedRoot()` only. */
export interface TrustedRoot {
  /** The file, for people. */
  readonly name: string;
  /** Parsed JSON, for the library. */
  readonly json: unknown;
  /** Transparency logs, such as Rekor. */
  readonly logs: readonly TrustedKey[];
  /** Certificate transparency logs. */
  readonly certificateLogs: readonly TrustedKey[];
  /** Issuers of signing certificates, such as Fulcio. */
  readonly certificateAuthorities: readonly TrustedKey[];
  /** Signers of RFC 3161 timestamps. */
  readonly timestampAuthorities: readonly TrustedKey[];
}

const ValidFor = z.object({ start: z.string(), end: z.optional(z.string()) });
const Log = z.object({
  baseUrl: z.string(),
  publicKey: z.object({ rawBytes: z.string(), validFor: ValidFor }),
  logId: z.object({ keyId: z.string() }),
  checkpointKeyId: z.optional(z.object({ keyId: z.string() })),
});
const Authority = z.object({
  subject: z.optional(
    z.object({ organization: z.optional(z.string()), commonName: z.optional(z.string()) }),
  ),
  uri: z.optional(z.string()),
  validFor: ValidFor,
});
const Shape = z.object({
  mediaType: z.enum([
    'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    'application/vnd.dev.sigstore.trustedroot.v0.2+json',
  ]),
  tlogs: z.array(Log),
  certificateAuthorities: z.array(Authority),
  ctlogs: z.array(Log),
  timestampAuthorities: z.optional(z.array(Authority)),
});

/** Returns the root of the public instance of sigstore, which is part of regi and never fetched. */
export async function publicGoodRoot(): Promise<TrustedRoot> {
  const { default: json } = await import('./public-good-root.json', { with: { type: 'json' } });
  return rootOf(json, 'the public-good root');
}

/**
 * Parses a trusted root, such as `cosign trusted-root create` writes.
 *
 * @throws {RegiError} INVALID_CONFIG for anything else, and for a key without the start of its
 *   time.
 */
export async function parseTrustedRoot(bytes: Uint8Array, name: string): Promise<TrustedRoot> {
  const json = strictProtobufJson(bytes);
  if (json === undefined) throw unusable(name, 'expected JSON with each name once');
  const root = rootOf(json.value, quote(name));
  const { checkRoot } = await import('./sigstore.ts');
  try {
    checkRoot(root.json);
  } catch (cause) {
    throw unusable(name, 'a key or certificate cannot be read', cause);
  }
  return root;
}

/** The day of the newest key, which tells how old a root is at most. */
export function newestKey({
  logs,
  certificateLogs,
  certificateAuthorities,
  timestampAuthorities,
}: TrustedRoot): string {
  const all = [...logs, ...certificateLogs, ...certificateAuthorities, ...timestampAuthorities];
  const newest = Math.max(...all.map(({ start }) => start.getTime()));
  return new Date(newest).toISOString().slice(0, 10);
}

function rootOf(json: unknown, name: string): TrustedRoot {
  const parsed = z.safeParse(Shape, json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw unusable(name, `expected a trusted root; ${issue?.path.join('.')} is not as in one`);
  }
  const { tlogs, ctlogs, certificateAuthorities, timestampAuthorities = [] } = parsed.data;
  const log = ({ baseUrl, publicKey, logId, checkpointKeyId }: z.infer<typeof Log>): TrustedKey =>
    keyOf(baseUrl, publicKey.validFor, name, (checkpointKeyId ?? logId).keyId);
  const authority = ({ subject, uri, validFor }: z.infer<typeof Authority>): TrustedKey =>
    keyOf(uri ?? subject?.commonName ?? subject?.organization ?? '', validFor, name);
  return {
    name,
    json,
    logs: tlogs.map(log),
    certificateLogs: ctlogs.map(log),
    certificateAuthorities: certificateAuthorities.map(authority),
    timestampAuthorities: timestampAuthorities.map(authority),
  };
}

function keyOf(
  name: string,
  validFor: z.infer<typeof ValidFor>,
  root: string,
  id?: string,
): TrustedKey {
  const start = new Date(validFor.start);
  const end = validFor.end === undefined ? undefined : new Date(validFor.end);
  if (Number.isNaN(start.getTime()) || (end !== undefined && Number.isNaN(end.getTime())))
    throw unusable(root, `the times of ${quote(name)} are not times`);
  return { name, id, start, end };
}

function unusable(name: string, problem: string, cause?: unknown): RegiError {
  return new RegiError('INVALID_CONFIG', `Cannot use the trusted root ${name}: ${problem}`, {
    hint: 'make one with: cosign trusted-root create',
    cause,
  });
}
