import { RegiError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { CallOptions, Source } from '../store.ts';
import { collectCandidates, type CarriedSignature } from './collect.ts';
import { verifyWithKeys } from './key-rule.ts';
import type { KeylessRule, KeyRule } from './policy.ts';
import { isSameKey, type SigningKey } from './signing-key.ts';
import { isRefusal, TRUST_STEPS, type TrustStep } from './verdict.ts';

/** What became of one candidate. */
export interface CandidateResult {
  /** The tag or digest of the manifest that carries it. */
  readonly origin: string;
  readonly form: 'bundle' | 'envelope' | 'simple-signing' | undefined;
  /** The key that made it, by its file; undefined for a refused one. */
  readonly signer: string | undefined;
  /** The step that refused it; `ok` for a good one. */
  readonly step: TrustStep | 'ok';
  readonly reason: string | undefined;
}

export interface SignatureReport {
  readonly digest: Digest;
  readonly accepted: boolean;
  /** The step at which the image failed: the furthest that a candidate came to. */
  readonly step: TrustStep | 'ok';
  readonly candidates: readonly CandidateResult[];
  /** What was there and can be no signature. */
  readonly skipped: readonly string[];
}

export interface VerifyOptions extends CallOptions {
  /** The repository of the rule's `signaturesFrom`, opened. */
  readonly signaturesFrom?: Source | undefined;
  /** The full name of the repository, where the source holds several. */
  readonly repository?: string | undefined;
}

/** The report of an image, with the signatures that move along with it. */
export interface Judgement {
  readonly report: SignatureReport;
  readonly carried: readonly CarriedSignature[];
}

/**
 * Verifies that the image `digest` is signed as the rule says. Resolve a tag once and pass the digest: everything here,
 * and the copy after it, speaks of that digest alone.
 *
 * @throws {RegiError} when signatures cannot be read. That is an error, never "unsigned".
 */
export async function verifySignatures(
  source: Source,
  digest: Digest,
  rule: KeyRule | KeylessRule,
  options: VerifyOptions = {},
): Promise<Judgement> {
  if (rule.kind === 'keyless')
    throw new RegiError('UNSUPPORTED', 'Cannot verify signatures with certificates yet', {
      hint: 'use a rule with key or keys',
    });
  const { candidates, carried, skipped, failures } = await collectCandidates(source, digest, {
    ...options,
    attestations: rule.predicateTypes.length > 0,
  });
  const signers: SigningKey[] = [];
  const results = candidates.map(({ origin, candidate }): CandidateResult => {
    const form = isRefusal(candidate) ? undefined : candidate.form;
    const verdict = isRefusal(candidate)
      ? candidate
      : verifyWithKeys(candidate, digest, rule.keys, rule);
    if (isRefusal(verdict)) {
      return { origin, form, signer: undefined, step: verdict.step, reason: verdict.reason };
    }
    // Two signatures of one key are one.
    if (!signers.some((signer) => isSameKey(signer, verdict))) signers.push(verdict);
    return { origin, form, signer: verdict.name, step: 'ok', reason: undefined };
  });
  const accepted = signers.length >= rule.threshold;
  // The signature may be at the place that failed.
  const [failure] = failures;
  if (!accepted && failure !== undefined) throw failure;
  const step = accepted ? 'ok' : signers.length > 0 ? 'threshold' : furthest(results);
  return { report: { digest, accepted, step, candidates: results, skipped }, carried };
}

function furthest(results: readonly CandidateResult[]): TrustStep {
  const reached = TRUST_STEPS.filter((step) => results.some((result) => result.step === step));
  return reached.at(-1) ?? 'collect';
}
