import type { Digest } from '../../oci/digest.ts';
import type { ReferrerNode, SubjectNode } from '../../operations/referrers/tree.ts';
import type { CallOptions, Source } from '../../store.ts';
import { BUNDLE_TYPE_PREFIX } from '../../trust/candidate.ts';
import { judge, type Gate } from '../../trust/gate.ts';

/** What is known of a referrer that may be a signature. */
export interface SignatureMark {
  readonly form: 'bundle' | 'envelope' | 'notation' | 'simple-signing';
  /** `not read`: regi has no verifier for the form. */
  readonly status: 'not read' | 'not verified' | 'refused' | 'verified';
  /** The signer, or the reason of the refusal. */
  readonly by: string | undefined;
}

const NOTATION_TYPE = 'application/vnd.cncf.notary.signature';

/** Names a referrer in the list of one subject. */
export function markKey({ subject, tag, digest }: MarkedReferrer): string {
  return `${subject} ${tag ?? digest}`;
}

interface MarkedReferrer {
  readonly subject: string;
  readonly tag: string | undefined;
  readonly digest: string;
}

/**
 * Marks the signatures among the referrers of an image and of its platforms; verified if a gate is
 * given.
 */
export async function signatureMarks(
  subjects: readonly SubjectNode[],
  gate: Gate | undefined,
  source: Source,
  options: CallOptions,
): Promise<ReadonlyMap<string, SignatureMark>> {
  const marks = new Map<string, SignatureMark>();
  for (const { descriptor, referrers } of subjects) {
    const found = referrers.flatMap((node) => {
      const form = formOf(node);
      return form === undefined ? [] : [{ node, form }];
    });
    if (found.length === 0) continue;
    const results = await resultsOf(descriptor.digest, gate, source, options);
    for (const { node, form } of found) {
      const { digest } = node.descriptor;
      const result = results?.get(node.tag ?? digest);
      const status = form === 'notation' ? 'not read' : (result?.status ?? 'not verified');
      const key = markKey({ subject: descriptor.digest, tag: node.tag, digest });
      marks.set(key, { form, status, by: result?.by });
    }
  }
  return marks;
}

/** Describes a mark for people; empty for a referrer that is no signature. */
export function markText(mark: SignatureMark | undefined): string {
  if (mark === undefined) return '';
  const by = mark.by === undefined ? '' : `: ${mark.by}`;
  return `(${mark.form}, ${mark.status}${by})`;
}

function formOf({ artifactType = '', tag = '' }: ReferrerNode): SignatureMark['form'] | undefined {
  if (artifactType.startsWith(BUNDLE_TYPE_PREFIX)) return 'bundle';
  if (artifactType === NOTATION_TYPE) return 'notation';
  if (tag.endsWith('.sig')) return 'simple-signing';
  return tag.endsWith('.att') ? 'envelope' : undefined;
}

type Result = Pick<SignatureMark, 'by' | 'status'>;

/** Returns the best result of each manifest, by the tag or digest that leads to it. */
async function resultsOf(
  digest: Digest,
  gate: Gate | undefined,
  source: Source,
  options: CallOptions,
): Promise<ReadonlyMap<string, Result> | undefined> {
  if (gate === undefined) return undefined;
  const { rule } = gate;
  if (rule.kind === 'accept') return undefined;
  const report = await judge({ ...gate, rule }, source, { digest }, options);
  const results = new Map<string, Result>();
  for (const { origin, step, signer, reason } of report.candidates) {
    if (results.get(origin)?.status === 'verified') continue;
    results.set(origin, {
      status: step === 'ok' ? 'verified' : 'refused',
      by: signer ?? `${step}: ${reason}`,
    });
  }
  return results;
}
