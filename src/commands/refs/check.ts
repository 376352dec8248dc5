import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UnprovedAbsenceError, UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatReference, type Reference } from '../../oci/reference.ts';
import {
  readImage,
  resolveIfThere,
  type PlatformChoice,
} from '../../operations/copy/resolve-image.ts';
import type { Store } from '../../store.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { admit } from '../../trust/gate.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { platformOption, value } from '../arguments/arguments.ts';
import { someFailedError } from '../arguments/each-argument.ts';
import { gateFor } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';
import { renameBySync, renameToPrefix } from './destinations.ts';
import { askEach, namedReferences, reportFailed } from './references.ts';

export type CheckStatus = 'missing' | 'ok' | 'other' | 'refused';

/** One image that files need, and whether it is where they will look for it. */
export interface CheckRow {
  readonly status: CheckStatus;
  /** Where it was looked for. */
  readonly reference: string;
  /** The name in the file. */
  readonly source: string;
  readonly digest: string | undefined;
  /** First place that names it. */
  readonly place: string;
  /** The platform that the image lacks; undefined unless `--platform` found that. */
  readonly platform?: string | undefined;
  /** The command that mends it. */
  readonly mend: string | undefined;
}

/** `regi refs check`: asks whether every image that files name is there. */
export const refsCheckCommand: CommandBody<CheckRow> = {
  run: runCheck,
  text: ({ status, reference, place, platform, mend }) =>
    `${status} ${reference}${platform === undefined ? '' : ` ${platform}`} (${place})\n${mend === undefined ? '' : `  ${mend}\n`}`,
};

async function* runCheck(args: ParsedArguments, context: Context): AsyncIterable<CheckRow> {
  const prefix = value(args, 'in');
  const sync = value(args, 'sync');
  if (prefix !== undefined && sync !== undefined) {
    throw new UsageError('Cannot use --in with --sync: both say where images are', {
      hint: 'use one of them',
    });
  }
  const rename =
    prefix !== undefined
      ? renameToPrefix(prefix)
      : sync === undefined
        ? undefined
        : await renameBySync(sync, context);
  const policy = await readPolicy(args, context);
  const platform = platformOption(args, context);
  const images = await namedReferences(args, context);
  const count = { missing: 0, other: 0, refused: 0, narrowed: 0, mended: 0 };
  const failures: RegiError[] = [];
  yield* withStores(context, {}, async function* (stores) {
    const outcomes = askEach(images, context.signal, async ({ reference }, signal) => {
      const there: Reference = { ...reference, ...rename?.(reference) };
      // The tag is asked where there is one, so that a tag that moved is not taken for the pinned
      // image.
      const asked = there.tag === undefined ? there : { ...there, digest: undefined };
      const { store, reference: name } = await stores.open(
        { kind: 'registry', reference: asked },
        'source',
      );
      const found = await resolveIfThere(store, name, { signal });
      const refusal =
        policy === undefined || found === undefined
          ? undefined
          : await refusalOf(policy, { there, digest: found.digest }, store, stores, signal);
      const isServed =
        platform === undefined ||
        found === undefined ||
        (await serves(store, found.digest, { platform, host: context.io.host }, signal));
      return { there, digest: found?.digest, refusal, isServed };
    });
    for await (const outcome of outcomes) {
      if (outcome.kind === 'failed') {
        failures.push(outcome.error);
        reportFailed(outcome, context);
        continue;
      }
      const { reference, place } = outcome.image;
      const { there, digest, refusal, isServed } = outcome.value;
      const found = isServed ? statusOf(digest, reference.digest) : 'missing';
      const status = found === 'ok' && refusal !== undefined ? 'refused' : found;
      if (refusal !== undefined) context.warn(`${place}: ${refusal.message}`, refusal.hint);
      const mend = status === 'ok' || status === 'refused' ? undefined : mendOf(reference, there);
      if (mend !== undefined) count.mended += 1;
      if (status !== 'ok') count[status] += 1;
      if (reference.digest !== undefined && status === 'missing') count.narrowed += 1;
      yield {
        status,
        reference: formatReference(there),
        source: formatReference(reference),
        digest,
        place,
        platform: platform === undefined || isServed ? undefined : formatPlatform(platform),
        mend,
      };
    }
  });
  if (failures.length > 0) throw someFailedError(failures, images.length);
  finish(count, images.length);
}

/** Reads the image for a platform: an index may list what a mirror left out. */
async function serves(
  store: Store,
  digest: Digest,
  choice: PlatformChoice,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await readImage(store, digest, choice, { signal });
    return true;
  } catch (error) {
    const isAbsent = error instanceof RegiError && error.code === 'NOT_FOUND';
    if (!isAbsent || error instanceof UnprovedAbsenceError) throw error;
    return false;
  }
}

/** The error of a policy that refuses the image; undefined if it is admitted. */
async function refusalOf(
  policy: TrustPolicy,
  { there, digest }: { readonly there: Reference; readonly digest: Digest },
  store: Store,
  stores: Stores,
  signal: AbortSignal,
): Promise<RegiError | undefined> {
  try {
    const gate = await gateFor(policy, { name: there, text: formatReference(there) }, stores);
    await admit(gate, store, { found: digest, landed: digest, isMade: false }, { signal });
    return undefined;
  } catch (error) {
    if (error instanceof RegiError && error.code === 'POLICY_REFUSED') return error;
    throw error;
  }
}

function statusOf(
  found: Digest | undefined,
  pinned: Digest | undefined,
): Exclude<CheckStatus, 'refused'> {
  if (found === undefined) return 'missing';
  return pinned === undefined || pinned === found ? 'ok' : 'other';
}

function mendOf(reference: Reference, there: Reference): string | undefined {
  const [source, destination] = [
    formatReference(reference),
    // Without a tag the digest stays, else every such image would become "latest".
    formatReference(there.tag === undefined ? there : { ...there, digest: undefined }),
  ];
  return source === destination ? undefined : `regi copy ${source} ${destination}`;
}

function finish(
  {
    missing,
    other,
    refused,
    narrowed,
    mended,
  }: Readonly<Record<'mended' | 'missing' | 'narrowed' | 'other' | 'refused', number>>,
  total: number,
): void {
  if (missing > 0) {
    throw new RegiError('NOT_FOUND', `Cannot find ${formatCount(missing, 'image')} of ${total}`, {
      hint:
        mended === 0
          ? 'push them, or correct the names in the files'
          : narrowed > 0
            ? 'copy them with the lines above; a mirror that keeps some platforms only has no pinned index: mirror with --sparse, or pin its own digest'
            : 'copy them with the lines above',
      details: { missing, other, total },
    });
  }
  if (other > 0) {
    throw new RegiError(
      'CONTENT_MISMATCH',
      `Cannot accept ${formatCount(other, 'image')} of ${total}: the tag has another digest than the files pin`,
      {
        hint: 'a mirror that keeps some platforms only has another digest: mirror with --sparse, or pin its own',
        details: { other, total },
      },
    );
  }
  if (refused > 0) {
    throw new RegiError(
      'POLICY_REFUSED',
      `Cannot accept ${formatCount(refused, 'image')} of ${total}: the policy refuses the signatures`,
      { hint: 'the warnings above say why', details: { refused, total } },
    );
  }
}
