import { LimitExceededError } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { quote } from '../quote.ts';
import type { CallOptions, Source } from '../store.ts';
import {
  collectCandidates,
  oneOfEachTag,
  type CarriedSignature,
  type Collected,
} from './collect.ts';
import type { ReadUrl } from './containers/lookaside.ts';
import type { ContainersRule } from './containers/requirement.ts';
import type { KeylessRule, KeyRule, TrustRule } from './policy.ts';
import { verifySignatures, type Judgement, type SignatureReport } from './verify-signatures.ts';

/** The rule that decides whether an image may move. */
export interface Gate {
  /** Applied to every candidate. */
  readonly rule: TrustRule;
  /** The scope of the policy that decided, for people. */
  readonly scope: string;
  /** The image as the operator named it, for messages. */
  readonly name: string;
  /** The repository of the rule's `signaturesFrom`, opened. */
  readonly signaturesFrom?: Source | undefined;
  /** The full name of the repository at the source, where the source holds several. */
  readonly repository?: string | undefined;
  /** Reads signatures that policy.json looks for outside of registries. */
  readonly readUrl: ReadUrl;
  /** A verified index that leads to the image by digests: the image itself needs no signature. */
  readonly verified?: Digest | undefined;
}

/** The two digests of one copy. They differ where an index is narrowed. */
export interface MovingRoots {
  /** The root that the name was resolved to, once. */
  readonly found: Digest;
  /** The root that is written. */
  readonly landed: Digest;
  /** True if `landed` is an index that was made here: no signature can exist for it. */
  readonly isMade: boolean;
  /**
   * The manifests that are written of an index which is made here or is sparse; those that `landed`
   * leads to when absent.
   */
  readonly images?: readonly Descriptor[] | undefined;
}

/** An image that may move. */
export interface Admission {
  /** Undefined where the rule accepts unsigned images. */
  readonly report: SignatureReport | undefined;
  /** Signatures of the written root, which move along. */
  readonly carried: readonly CarriedSignature[];
  /** Places whose signatures could not be read, and so stay behind. */
  readonly failures?: readonly RegiError[] | undefined;
}

/**
 * Decides whether an image may move. Call it after the name was resolved, and before anything is
 * written.
 *
 * @throws {RegiError} POLICY_REFUSED with a finding per candidate; the error of a source whose
 *   signatures cannot be read.
 */
export async function admit(
  gate: Gate,
  source: Source,
  roots: MovingRoots,
  options: CallOptions,
): Promise<Admission> {
  const { rule } = gate;
  const { found, landed, isMade } = roots;
  if (rule.kind === 'accept' || gate.verified !== undefined) {
    if (isMade) return { report: undefined, carried: [] };
    return { report: undefined, ...(await signaturesOf(gate, source, landed, options)) };
  }
  if (rule.kind === 'containers')
    return admitByRequirements({ ...gate, rule }, source, roots, options);
  const verify = async (digest: Digest): Promise<Judgement> =>
    verifySignatures(source, digest, rule, { ...gate, ...options });
  const isNarrowed = found !== landed;
  const own = isMade ? undefined : await verify(landed);
  if (own?.report.accepted === true) return own;
  const whole = isNarrowed ? await verify(found) : own;
  if (whole?.report.accepted !== true) throw refused(gate, found, whole?.report);
  if (rule.narrowed === 'refuse') throw narrowed(gate, found);
  return { report: whole.report, carried: own?.carried ?? [] };
}

/**
 * Decides by the requirements of a policy.json: each image manifest has to satisfy them, and no
 * index need to.
 */
async function admitByRequirements(
  gate: Gate & { readonly rule: ContainersRule },
  source: Source,
  { found, landed, isMade, images }: MovingRoots,
  options: CallOptions,
): Promise<Admission> {
  const judged = { digest: landed, images };
  const { report, signed } = await judgeByRequirements(gate, source, judged, options);
  if (!report.accepted) throw refused(gate, report.digest, report);
  const isUnsigned = report.candidates.length === 0;
  const moving = isMade
    ? { carried: [] }
    : await signaturesOf(gate, source, landed, options, signed);
  return { report: isUnsigned ? undefined : { ...report, digest: found }, ...moving };
}

/** An image or index that is verified. */
export interface Judged {
  readonly digest: Digest;
  /** As in `MovingRoots`. */
  readonly images?: readonly Descriptor[] | undefined;
}

/**
 * Verifies an image by the rule of a gate; every image of an index by a policy.json.
 *
 * @returns the report of the image, or of the first that is refused.
 * @throws {RegiError} when signatures cannot be read. That is an error, never "unsigned".
 */
export async function judge(
  gate: Gate & { readonly rule: ContainersRule | KeyRule | KeylessRule },
  source: Source,
  { digest, images }: Judged,
  options: CallOptions,
): Promise<SignatureReport> {
  const { rule } = gate;
  const { report } =
    rule.kind === 'containers'
      ? await judgeByRequirements({ ...gate, rule }, source, { digest, images }, options)
      : await verifySignatures(source, digest, rule, { ...gate, ...options });
  return report;
}

async function judgeByRequirements(
  gate: Gate & { readonly rule: ContainersRule },
  source: Source,
  { digest, images }: Judged,
  options: CallOptions,
): Promise<{ readonly report: SignatureReport; readonly signed: ReadonlySet<Digest> }> {
  const { manifestsIn } = await import('./manifests-in.ts');
  const { verifyRequirements } = await import('./containers/verify-requirements.ts');
  const roots = images ?? [await source.resolve(digest, options)];
  const reports: SignatureReport[] = [];
  const accepted = new Set<Digest>();
  const { images: wanted } = await manifestsIn(source, roots, options);
  for (const one of wanted) {
    const requirement = { ...gate, ...options };
    const { report, signed } = await verifyRequirements(source, one, gate.rule, requirement);
    if (!report.accepted) return { report, signed: accepted };
    reports.push(report);
    signed.forEach((manifest) => accepted.add(manifest));
  }
  const candidates = reports.flatMap((report) => report.candidates);
  const skipped = reports.flatMap((report) => report.skipped);
  const report = { digest, accepted: true, step: 'ok', candidates, skipped } as const;
  return { report, signed: accepted };
}

/**
 * Returns the signatures of a manifest that needs none: a verified index leads to it, or the rule
 * accepts it unsigned. Too many of them keep no such image back: it moves without them.
 *
 * @param accepted manifests whose signatures counted: of several places, theirs move along.
 */
export async function signaturesOf(
  { rule, signaturesFrom, repository }: Gate,
  source: Source,
  digest: Digest,
  options: CallOptions,
  accepted: ReadonlySet<Digest> = new Set(),
): Promise<Pick<Collected, 'carried' | 'failures'>> {
  const attestations = 'predicateTypes' in rule && rule.predicateTypes.length > 0;
  try {
    const collected = await collectCandidates(source, digest, {
      ...options,
      attestations,
      signaturesFrom,
      repository,
    });
    return { ...collected, carried: oneOfEachTag(collected.carried, accepted) };
  } catch (error) {
    if (error instanceof LimitExceededError) return { carried: [], failures: [error] };
    throw error;
  }
}

/** Says who signed an image, or why no signature is needed. */
export function admissionText(
  { name, scope }: Gate,
  digest: Digest,
  { report }: Admission,
): string {
  if (report === undefined)
    return `Accepted ${name} at ${digest} unsigned: the policy says so (scope ${scope})`;
  const signers = new Set(report.candidates.flatMap(({ signer }) => signer ?? []));
  return `Verified ${name} at ${report.digest}: signed by ${[...signers].join(', ')} (scope ${scope})`;
}

/**
 * Describes a candidate in one line: where it was found, its form, the step that it came to, and
 * the signer or the reason.
 */
export function candidateLine({
  origin,
  form,
  step,
  signer,
  reason,
  issuer,
  time,
}: SignatureReport['candidates'][number]): readonly string[] {
  const by = issuer === undefined ? signer : `${signer} (${issuer}, ${time})`;
  return [shortened(origin), form ?? '-', step, by ?? reason ?? ''];
}

function shortened(origin: string): string {
  return origin.replace(/^(sha256[:-][0-9a-f]{12})[0-9a-f]{52}/, '$1…');
}

function refused(
  { name, scope }: Gate,
  digest: Digest,
  report: SignatureReport | undefined,
): RegiError {
  const { step = 'collect', candidates = [] } = report ?? {};
  const problem =
    report?.reason !== undefined
      ? `${report.reason} (scope ${scope})`
      : candidates.length === 0
        ? 'it has no signature'
        : `no signature satisfies the policy (scope ${scope}, step ${step})`;
  return new RegiError('POLICY_REFUSED', `Cannot accept ${quote(name)} at ${digest}: ${problem}`, {
    hint: 'nothing was written; ask who signs the image, or correct the policy',
    findings: candidates.map((candidate) => candidateLine(candidate).join('  ')),
    details: { digest, step, scope },
  });
}

function narrowed({ name, scope }: Gate, digest: Digest): RegiError {
  return new RegiError(
    'POLICY_REFUSED',
    `Cannot accept a part of ${quote(name)}: the signature is that of the whole index ${digest}, and the part has none`,
    {
      hint: 'nothing was written; copy all platforms, or write "narrowed: allow" into the rule',
      details: { digest, scope },
    },
  );
}
