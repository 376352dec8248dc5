import * as z from 'zod/mini';

import { algorithmOf, encodedOf, type Digest } from '../oci/digest.ts';
import type { Candidate } from './candidate.ts';
import { strictJson } from './strict-text.ts';
import { refusal, type Refusal } from './verdict.ts';

/** What cosign writes for a signature, in contrast to an attestation. */
export const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

export interface ContentRule {
  /** Predicate types that count; `SIGN_PREDICATE` alone when empty. */
  readonly predicateTypes: readonly string[];
  /** Pairs that the signer must have signed. */
  readonly annotations: Readonly<Record<string, string>>;
}

const STATEMENT_TYPES: ReadonlySet<string> = new Set([
  'https://in-toto.io/Statement/v0.1',
  'https://in-toto.io/Statement/v1',
]);
const SIMPLE_SIGNING = 'cosign container image signature';

const Statement = z.object({
  _type: z.string(),
  predicateType: z.string(),
  subject: z.array(
    z.object({
      digest: z.record(z.string(), z.string()),
      annotations: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
    }),
  ),
});

/** Checks that the signed bytes speak of the image `digest`, and say what the rule asks for. */
export function checkContent(
  candidate: Candidate,
  digest: Digest,
  rule: ContentRule,
): Refusal | undefined {
  return candidate.form === 'simple-signing'
    ? checkSimpleSigning(candidate.payload, digest, rule)
    : checkStatement(candidate.envelope.payload, digest, rule);
}

function checkStatement(
  payload: Uint8Array,
  digest: Digest,
  { predicateTypes, annotations }: ContentRule,
): Refusal | undefined {
  const json = strictJson(payload);
  const parsed = json === undefined ? undefined : z.safeParse(Statement, json.value);
  if (parsed?.success !== true) return refusal('content', 'it is no in-toto statement');
  const { _type, predicateType, subject } = parsed.data;
  if (!STATEMENT_TYPES.has(_type)) {
    return refusal('content', `its type is ${JSON.stringify(_type)}`);
  }
  const about = subject.filter((item) => item.digest[algorithmOf(digest)] === encodedOf(digest));
  if (about.length === 0) return refusal('content', 'it signs another image');
  const accepted = predicateTypes.length === 0 ? [SIGN_PREDICATE] : predicateTypes;
  if (!accepted.includes(predicateType)) {
    return refusal('content', `it is an attestation of type ${JSON.stringify(predicateType)}`);
  }
  if (!about.some((item) => hasPairs(item.annotations ?? {}, annotations))) {
    return refusal('content', 'it lacks the annotations that the policy asks for');
  }
  return undefined;
}

function checkSimpleSigning(
  payload: Uint8Array,
  digest: Digest,
  { predicateTypes, annotations }: ContentRule,
): Refusal | undefined {
  if (predicateTypes.length > 0 && !predicateTypes.includes(SIGN_PREDICATE)) {
    return refusal('content', 'it is a signature, and the policy asks for attestations');
  }
  const json = strictJson(payload);
  if (json === undefined) return refusal('content', 'its payload is not JSON with each name once');
  const critical = folded(json.value, 'critical');
  if (folded(critical, 'type') !== SIMPLE_SIGNING) {
    return refusal('content', 'its payload is no cosign container image signature');
  }
  const signed = folded(folded(critical, 'image'), 'docker-manifest-digest');
  if (signed === undefined) {
    return refusal('content', 'its payload names no digest, or one in two spellings');
  }
  if (signed !== digest) return refusal('content', 'it signs another image');
  const optional = folded(json.value, 'optional');
  if (!hasPairs(optional ?? {}, annotations)) {
    return refusal('content', 'it lacks the annotations that the policy asks for');
  }
  return undefined;
}

/**
 * Reads a member as Go does, in any case; undefined where two spellings of the name stand. For Go
 * the long s and the sign of Kelvin are spellings of s and k, too.
 */
function folded(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = Object.entries(value).filter(([key]) => key.toUpperCase().toLowerCase() === name);
  return found.length === 1 ? found[0]?.[1] : undefined;
}

function hasPairs(value: unknown, pairs: Readonly<Record<string, string>>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const own = new Map<string, unknown>(Object.entries(value));
  return Object.entries(pairs).every(([key, wanted]) => own.get(key) === wanted);
}
