import type { RegiError } from '../../errors.ts';
import { algorithmOf, encodedOf, type Digest } from '../../oci/digest.ts';
import type { CallOptions, Source } from '../../store.ts';
import type { SimpleSigningCandidate } from '../candidate.ts';
import { collectCandidates, type CollectOptions } from '../collect.ts';
import { verifies } from '../signing-key.ts';
import { isRefusal, refusal, type Refusal } from '../verdict.ts';
import { furthest, type CandidateResult, type SignatureReport } from '../verify-signatures.ts';
import { readLookaside, type LookasideSignature, type ReadUrl } from './lookaside.ts';
import { checkPayload } from './payload.ts';
import type { ContainersRule, Requirement, SignedBy, SigstoreSigned } from './requirement.ts';

export interface RequirementOptions extends CallOptions {
  /** The full name of the repository, where the source holds several and names tags in full. */
  readonly repository?: string | undefined;
  /** Reads the URLs of a lookaside. */
  readonly readUrl: ReadUrl;
}

/**
 * Verifies that all requirements hold for the manifest `digest`, in their order. The first that
 * does not hold decides.
 *
 * @throws {RegiError} when signatures cannot be read or a key cannot be used. That is an error,
 *   never "unsigned".
 */
export async function verifyRequirements(
  source: Source,
  digest: Digest,
  rule: ContainersRule,
  options: RequirementOptions,
): Promise<RequirementVerdict> {
  const signatures = new Signatures(source, digest, rule, options);
  const candidates: CandidateResult[] = [];
  for (const requirement of rule.requirements) {
    const { accepted, reason, results } = await check(requirement, signatures);
    candidates.push(...results);
    if (accepted) continue;
    const step = furthest(results);
    const { skipped } = signatures;
    return { report: { digest, accepted, step, candidates, skipped, reason }, signed: [] };
  }
  const { skipped, signed } = signatures;
  return { report: { digest, accepted: true, step: 'ok', candidates, skipped }, signed };
}

export interface RequirementVerdict {
  readonly report: SignatureReport;
  /** Manifests beside the image whose signatures counted. */
  readonly signed: readonly Digest[];
}

interface Outcome {
  readonly accepted: boolean;
  readonly results: readonly CandidateResult[];
  /** Set where no signature could help. */
  readonly reason?: string | undefined;
}

async function check(requirement: Requirement, signatures: Signatures): Promise<Outcome> {
  switch (requirement.type) {
    case 'insecureAcceptAnything':
      return { accepted: true, results: [] };
    case 'reject':
      return { accepted: false, results: [], reason: 'the policy rejects it' };
    case 'unsupported':
      return { accepted: false, results: [], reason: requirement.reason };
    case 'broken':
      throw requirement.error;
    case 'signedBy':
      return signatures.signedBy(requirement);
    case 'sigstoreSigned':
      return signatures.sigstoreSigned(requirement);
  }
}

/** The signatures of one manifest, each place of which is read once. */
class Signatures {
  readonly skipped: string[] = [];
  readonly signed: Digest[] = [];
  readonly #source: Source;
  readonly #digest: Digest;
  readonly #rule: ContainersRule;
  readonly #options: RequirementOptions;
  #gpg: readonly LookasideSignature[] | undefined;
  #sigstore: Attachments | undefined;

  constructor(source: Source, digest: Digest, rule: ContainersRule, options: RequirementOptions) {
    this.#source = source;
    this.#digest = digest;
    this.#rule = rule;
    this.#options = options;
  }

  async signedBy({ keyrings, identity }: SignedBy): Promise<Outcome> {
    this.#gpg ??= await this.#readGpg();
    const results: CandidateResult[] = [];
    for (const { origin, bytes } of this.#gpg) {
      const [signer, refused] = await this.#gpgSigner(bytes, keyrings, identity);
      results.push(resultOf(origin, 'gpg', signer, refused));
      if (refused === undefined) return { accepted: true, results };
    }
    return { accepted: false, results };
  }

  async sigstoreSigned(requirement: SigstoreSigned): Promise<Outcome> {
    this.#sigstore ??= await this.#readSigstore();
    const { candidates, failures, unread } = this.#sigstore;
    const results: CandidateResult[] = [];
    for (const { origin, manifest, candidate } of candidates) {
      const verdict = isRefusal(candidate)
        ? candidate
        : await this.#sigstoreSigner(candidate, requirement);
      const [signer, refused] =
        typeof verdict === 'string' ? [verdict, undefined] : [undefined, verdict];
      results.push(resultOf(origin, 'simple-signing', signer, refused));
      if (refused !== undefined) continue;
      this.signed.push(manifest);
      return { accepted: true, results };
    }
    // The signature may be at the place that failed.
    const [failure] = failures;
    if (failure !== undefined) throw failure;
    return { accepted: false, results, reason: results.length === 0 ? unread : undefined };
  }

  async #gpgSigner(
    bytes: Uint8Array,
    keyrings: SignedBy['keyrings'],
    identity: SignedBy['identity'],
  ): Promise<readonly [string | undefined, Refusal | undefined]> {
    // The mark of signatures in another format, which are not kept there by podman and skopeo.
    if (bytes[0] === 0 || bytes.byteLength === 0)
      return [undefined, refusal('shape', 'it is no OpenPGP message')];
    const verdict = await this.#rule.verifyGpg(bytes, keyrings, this.#options);
    if (!verdict.isGood) return [undefined, refusal('signature', verdict.reason)];
    const refused = checkPayload(verdict.content, {
      type: 'atomic container signature',
      digest: this.#digest,
      identity,
      image: this.#rule.image,
    });
    return [verdict.fingerprint, refused];
  }

  /** Returns the name of the key that made the signature. */
  async #sigstoreSigner(
    candidate: SimpleSigningCandidate,
    { keys, log, identity }: SigstoreSigned,
  ): Promise<string | Refusal> {
    const { payload, signature } = candidate;
    const key = keys.find((one) => verifies(one, payload, signature));
    if (key === undefined) return refusal('signature', 'no key of the policy made its signature');
    if (log !== undefined) {
      const { checkLogOfKey } = await import('../keyless/evidence.ts');
      const refused = await checkLogOfKey(candidate, key, log);
      if (refused !== undefined) return refused;
    }
    const refused = checkPayload(payload, {
      type: 'cosign container image signature',
      digest: this.#digest,
      identity,
      image: this.#rule.image,
    });
    return refused ?? key.name;
  }

  async #readGpg(): Promise<readonly LookasideSignature[]> {
    const { lookaside } = this.#rule;
    if (lookaside === undefined) return [];
    const found: LookasideSignature[] = [];
    for await (const one of readLookaside(lookaside, this.#digest, this.#options)) found.push(one);
    return found;
  }

  async #readSigstore(): Promise<Attachments> {
    const digest = this.#digest;
    if (!this.#rule.readsAttachments)
      return {
        candidates: [],
        failures: [],
        unread:
          'registries.d does not say that its sigstore signatures stand beside it: use-sigstore-attachments: true',
      };
    const options: CollectOptions = { ...this.#options, attestations: false, tagsAlone: true };
    const { candidates, failures, skipped } = await collectCandidates(
      this.#source,
      digest,
      options,
    );
    this.skipped.push(...skipped);
    const tag = `${algorithmOf(digest)}-${encodedOf(digest)}.sig`;
    return {
      candidates: candidates.flatMap(({ origin, manifest, candidate }) =>
        origin === tag && (isRefusal(candidate) || candidate.form === 'simple-signing')
          ? [{ origin, manifest: manifest.digest, candidate }]
          : [],
      ),
      failures,
      unread: undefined,
    };
  }
}

interface Attachments {
  readonly candidates: readonly {
    readonly origin: string;
    readonly manifest: Digest;
    readonly candidate: Refusal | SimpleSigningCandidate;
  }[];
  readonly failures: readonly RegiError[];
  /** Why none was looked for. */
  readonly unread: string | undefined;
}

function resultOf(
  origin: string,
  form: CandidateResult['form'],
  signer: string | undefined,
  refused: Refusal | undefined,
): CandidateResult {
  return refused === undefined
    ? { origin, form, signer, step: 'ok', reason: undefined }
    : { origin, form, signer: undefined, step: refused.step, reason: refused.reason };
}
