import type { Digest } from '../oci/digest.ts';
import type { CallOptions, Source } from '../store.ts';
import { collectCandidates } from './collect.ts';
import { verifyWithKeys } from './key-rule.ts';
import type { KeyRule } from './policy.ts';
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

/**
 * Verifies that the image `digest` is signed as the rule says. Resolve a tag once and pass the digest: everything here,
 * and the copy after it, speaks of that digest alone.
 *
 * @throws {RegiError} when signatures cannot be read. That is an error, never "unsigned".
 */
export async function verifySignatures(
  source: Source,
  digest: Digest,
  rule: KeyRule,
  options: CallOptions = {},
): Promise<SignatureReport> {
  const { candidates, skipped } = await collectCandidates(source, digest, {
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
  const step = accepted ? 'ok' : signers.length > 0 ? 'threshold' : furthest(results);
  return { digest, accepted, step, candidates: results, skipped };
}

function furthest(results: readonly CandidateResult[]): TrustStep {
  const reached = TRUST_STEPS.filter((step) => results.some((result) => result.step === step));
  return reached.at(-1) ?? 'collect';
}
