import type { Digest } from '../oci/digest.ts';
import type { CallOptions, Source } from '../store.ts';
import type { Candidate } from './candidate.ts';
import { collectCandidates, oneOfEachTag, type CarriedSignature } from './collect.ts';
import type { CertifiedSigner } from './keyless/evidence.ts';
import { verifyWithKeys } from './key-rule.ts';
import type { KeylessRule, KeyRule } from './policy.ts';
import { isSameKey, type SigningKey } from './signing-key.ts';
import { isRefusal, TRUST_STEPS, type Refusal, type TrustStep } from './verdict.ts';

/** What became of one candidate. */
export interface CandidateResult {
  /** The tag or digest of the manifest that carries it. */
  readonly origin: string;
  readonly form: 'bundle' | 'envelope' | 'gpg' | 'simple-signing' | undefined;
  /** The key that made it, by its file; undefined for a refused one. */
  readonly signer: string | undefined;
  /** The step that refused it; `ok` for a good one. */
  readonly step: TrustStep | 'ok';
  readonly reason: string | undefined;
  /** Who vouched for the signer of a certificate, when, and the log. */
  readonly issuer?: string | undefined;
  readonly time?: string | undefined;
  readonly log?: string | undefined;
}

export interface SignatureReport {
  readonly digest: Digest;
  readonly accepted: boolean;
  /** The step at which the image failed: the furthest that a candidate came to. */
  readonly step: TrustStep | 'ok';
  readonly candidates: readonly CandidateResult[];
  /** What was there and can be no signature. */
  readonly skipped: readonly string[];
  /** Why the image was refused, where that is not the fault of any of its signatures. */
  readonly reason?: string | undefined;
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
 * Verifies that the image `digest` is signed as the rule says. Resolve a tag once and pass the
 * digest: everything here, and the copy after it, speaks of that digest alone.
 *
 * @throws {RegiError} when signatures cannot be read. That is an error, never "unsigned".
 */
export async function verifySignatures(
  source: Source,
  digest: Digest,
  rule: KeyRule | KeylessRule,
  options: VerifyOptions = {},
): Promise<Judgement> {
  const { candidates, carried, skipped, failures } = await collectCandidates(source, digest, {
    ...options,
    attestations: rule.predicateTypes.length > 0,
  });
  const signers: SigningKey[] = [];
  const signed = new Set<Digest>();
  let accepts = 0;
  const results: CandidateResult[] = [];
  for (const { origin, manifest, candidate } of candidates) {
    const form = isRefusal(candidate) ? undefined : candidate.form;
    const verdict = isRefusal(candidate) ? candidate : await verdictOf(candidate, digest, rule);
    if (isRefusal(verdict)) {
      results.push({ origin, form, signer: undefined, step: verdict.step, reason: verdict.reason });
      continue;
    }
    signed.add(manifest.digest);
    if ('subject' in verdict) {
      const { subject, issuer, time, log } = verdict;
      accepts += 1;
      results.push({
        origin,
        form,
        signer: subject,
        step: 'ok',
        reason: undefined,
        issuer,
        time: time.toISOString(),
        log,
      });
      continue;
    }
    // Two signatures of one key are one.
    if (!signers.some((signer) => isSameKey(signer, verdict))) {
      signers.push(verdict);
      accepts += 1;
    }
    results.push({ origin, form, signer: verdict.name, step: 'ok', reason: undefined });
  }
  const threshold = rule.kind === 'key' ? rule.threshold : 1;
  const accepted = accepts >= threshold;
  // The signature may be at the place that failed.
  const [failure] = failures;
  if (!accepted && failure !== undefined) throw failure;
  const isShort = !accepted && accepts > 0;
  const step = accepted ? 'ok' : isShort ? 'threshold' : furthest(results);
  const reason = isShort
    ? `${accepts} of the ${threshold} required keys ${accepts === 1 ? 'has' : 'have'} signed it`
    : undefined;
  return {
    report: { digest, accepted, step, candidates: results, skipped, reason },
    carried: oneOfEachTag(carried, signed),
  };
}

/**
 * Verifies one candidate: the steps `signer` to `content` of its rule. Certificates, logs and their
 * library are loaded for rules that ask for them.
 */
export async function verdictOf(
  candidate: Candidate,
  digest: Digest,
  rule: KeylessRule | KeyRule,
): Promise<CertifiedSigner | Refusal | SigningKey> {
  if (rule.kind === 'keyless') {
    const { verifyWithCertificate } = await import('./keyless/evidence.ts');
    return verifyWithCertificate(candidate, digest, rule);
  }
  const verdict = verifyWithKeys(candidate, digest, rule.keys, rule);
  if (isRefusal(verdict) || rule.log === 'none' || rule.root === undefined) return verdict;
  const { checkLogOfKey } = await import('./keyless/evidence.ts');
  return (await checkLogOfKey(candidate, verdict, rule.root)) ?? verdict;
}

/** The furthest step that a candidate came to; `collect` where there is none. */
export function furthest(results: readonly CandidateResult[]): TrustStep {
  const reached = TRUST_STEPS.filter((step) => results.some((result) => result.step === step));
  return reached.at(-1) ?? 'collect';
}
