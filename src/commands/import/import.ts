import { resolve as resolvePath } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import { Lanes } from '../../concurrency/lanes.ts';
import { together } from '../../concurrency/together.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestInTag } from '../../oci/digest.ts';
import { parseRepository, type Repository } from '../../oci/reference.ts';
import { bringBase } from '../../operations/archive/base-layers.ts';
import { copyImages, type FailedJob } from '../../operations/copy/copy-images.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { quote } from '../../quote.ts';
import type { Source } from '../../store.ts';
import { withKnownBlobs } from '../../targets/image-source.ts';
import { holdsImages, parseLocation, type ImagesLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { ImageSource, Stores } from '../../targets/opened-store.ts';
import { kindOfPath } from '../../targets/path.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { flag, positional, value, values } from '../arguments/arguments.ts';
import { lanesOf } from '../../targets/host-lanes.ts';
import { copyOptions } from '../arguments/copy-options.ts';
import { Unusable } from '../arguments/matching-tags.ts';
import { jobFrom, type NamedJob } from '../copy/jobs.ts';
import { listUntagged, tagKeptError, withChanges } from '../copy/copy.ts';
import {
  digestOrTable,
  digestRow,
  openDigestFile,
  plannedRow,
  type DigestRow,
  type TableText,
} from '../output/digest-row.ts';
import { readPolicy } from '../trust/policy.ts';
import { admitWhole, gateOfImport, withoutSignatures } from './gate.ts';
import { noteResults, resultsTable, showsTable } from './results.ts';
import { planBases, type PlannedBases } from './bases.ts';
import {
  parseMapping,
  parsePrefix,
  planNames,
  type ImportNaming,
  type PlannedImport,
} from './names.ts';

export interface ImportRow extends DigestRow {
  /** The image's name in the archive. */
  readonly source: string;
}

export interface ImportRequest {
  /** The archive or layout that holds the images. */
  readonly location: ImagesLocation;
  readonly from: ImageSource;
  readonly naming: ImportNaming;
  /** Repositories of the destination that may hold the layers which the archive leaves out. */
  readonly bases: readonly Repository[];
  readonly policy: TrustPolicy | undefined;
}

/** An image that is being imported. */
export interface Import extends NamedJob, PlannedImport {
  /**
   * The digest of the manifest that a signature or another referrer is about. Referrers arrive before
   * any tag of an image moves.
   */
  readonly subject: string | undefined;
  /** The reason why the policy has no rule that could admit it. */
  readonly refused: RegiError | undefined;
}

/** `regi import`: copies every image of an archive into a registry or the local store. */
export const importCommand: CommandBody<ImportRow | TableText> = {
  run: runImport,
  text: digestOrTable,
};

async function* runImport(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<ImportRow | TableText> {
  const [, prefix] = args.positionals;
  const naming = {
    prefix: prefix === undefined ? undefined : parsePrefix(prefix),
    mappings: values(args, 'map').map(parseMapping),
  };
  const bases = values(args, 'base').map(parseRepository);
  // `docker load` reads standard input.
  const isPiped = args.typed?.endsWith('load') === true && !context.io.stdin.isTTY;
  const typed =
    args.positionals[0] === undefined && isPiped
      ? '-'
      : positional(args, 0, 'an archive', 'type: regi import FILE [PREFIX]');
  const location = await parseFile(typed, context);
  const policy = await readPolicy(args, context);
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, async function* (stores) {
    const from = await stores.openImages(location);
    const request = { location, from, naming, bases, policy };
    yield* importImages(request, args, stores, context);
  });
}

/** Parses the archive or layout to import. A path needs no prefix. */
async function parseFile(text: string, { io }: Context): Promise<ImagesLocation> {
  if (/^(?:oci|(?:docker-|oci-)?archive):/.test(text)) {
    const location = parseLocation(text);
    if (holdsImages(location)) return location;
  }
  if (/^(?:docker:\/\/|dir:|local:)/.test(text))
    throw new UsageError(`Cannot import ${quote(text)}: expected an archive`, {
      hint: `type: regi copy ${text} DST`,
    });
  const kind = await kindOfPath(resolvePath(io.cwd, text));
  return { kind: kind === 'folder' ? 'oci' : 'archive', path: text };
}

/**
 * Copies every image of an archive to the destination of its name. Names and left-out layers are
 * checked for all images before anything is written; after that, one image that fails does not stop
 * the others.
 *
 * @throws {UsageError} when two images go to one name.
 * @throws {RegiError} NOT_FOUND when an image lacks a platform, or a left-out layer is not at the
 *   destination.
 * @throws {PartialFailureError} at the end, when some of several images failed.
 */
export async function* importImages(
  { location, from: given, naming, bases: named, policy }: ImportRequest,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): AsyncIterable<ImportRow | TableText> {
  const from = policy === undefined ? given : await withoutSignatures(given, context);
  const unusable = new Unusable();
  unusable.addImages(from.unusable?.length ?? 0);
  const planned = planNames(from, naming);
  if (planned.length === 0) {
    unusable.check();
    context.warn('Nothing to import: the archive holds no images');
    return;
  }
  context.onEvent({ kind: 'listed', images: planned.length });
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const opened = await openAll(planned, { location, from, naming, bases: named, policy }, stores);
  const imports = referrersFirst(opened);
  const flags = copyOptions(args, context);
  const { platforms = [], sparse } = flags;
  const wanted = { platforms, sparse, optional: imports.length > 1 };
  const options = { naming, wanted, bases: named, stores, context };
  const bases = await context.wait('Planning', () => planBases(imports, from, options));
  const results = new Map<string, string>();
  const brought = new Set<string>();
  const referrers = new Pending(imports.filter(isReferrer).map(({ image }) => image));
  const onEvent = (event: CopyEvent): void => {
    if (isEnd(event)) referrers.end(event.image);
    if (event.kind === 'failed' || event.kind === 'passed')
      results.set(event.image, ENDINGS[event.kind]);
    // A base layer that was just brought there has had its event.
    const isKnown =
      (event.kind === 'found' || event.kind === 'skipped') &&
      brought.has(keyOf(event.to, event.target));
    if (!isKnown) context.onEvent(event);
  };
  const isTable = showsTable(imports, context);
  const table = async (): Promise<TableText> => ({
    table: await resultsTable(imports, results, from.store, context),
  });
  try {
    const keepGoing = imports.length > 1;
    const isDryRun = flag(args, 'dry-run');
    const real = jobsOf(imports, { bases, brought, referrers }, context);
    const jobs = isDryRun ? withChanges(real) : real;
    for await (const { job, ...copied } of copyImages(jobs, { ...flags, onEvent, keepGoing })) {
      const { image, outcome } = copied;
      if (outcome === 'kept' && imports.length === 1) throw tagKeptError(copied);
      await listUntagged(job, copied.root, context);
      const isPlan = isDryRun && outcome === 'copied';
      results.set(image, isPlan ? 'would be copied' : outcome);
      const row: ImportRow = {
        source: job.label,
        ...plannedRow(digestRow(copied, job.name), job.changes?.()),
      };
      await record(row);
      if (!isTable) yield row;
    }
  } catch (error) {
    if (isTable) yield await table();
    throw error;
  } finally {
    if (!isTable) await noteResults(imports, results, from.store, context);
  }
  if (isTable) yield await table();
  unusable.check();
}

/**
 * Returns the subject of a signature or another referrer: that in a tag of cosign or of the tag
 * schema, or that of an untagged manifest. Undefined for an image.
 */
async function subjectOf(
  { tag, root }: PlannedImport['entry'],
  store: Source,
): Promise<string | undefined> {
  if (tag !== undefined) return digestInTag(tag);
  try {
    return (await readManifest(store, root)).manifest.subject?.digest;
  } catch (error) {
    // The copy reports what is wrong with it.
    if (error instanceof RegiError) return undefined;
    throw error;
  }
}

function isReferrer({ subject }: Import): boolean {
  return subject !== undefined;
}

function referrersFirst(imports: readonly Import[]): readonly Import[] {
  return [...imports.filter(isReferrer), ...imports.filter((job) => !isReferrer(job))];
}

/** The results of images that have no row. */
const ENDINGS = { failed: 'failed', passed: 'not for these platforms' } as const;

/** True for the last event of an image. */
function isEnd(event: CopyEvent): event is CopyEvent & { readonly image: string } {
  return ['tagged', 'unchanged', 'kept', 'passed', 'failed'].includes(event.kind);
}

/** Images that have not ended yet. */
class Pending {
  readonly #images: Set<string>;
  readonly #settled: Promise<void>;
  #settle: () => void = () => {};

  constructor(images: Iterable<string>) {
    this.#images = new Set(images);
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.end('');
  }

  end(image: string): void {
    this.#images.delete(image);
    if (this.#images.size === 0) this.#settle();
  }

  /** Resolves when all have ended, or the signal has aborted. */
  async ended(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const onAbort = (): void => resolve();
      signal.addEventListener('abort', onAbort, { once: true });
      void this.#settled.then(() => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }
}

interface JobsOptions {
  readonly bases: ReadonlyMap<string, PlannedBases>;
  /** Collects layers that were brought to a repository. */
  readonly brought: Set<string>;
  /** No tag of an image moves before its signatures and other referrers have arrived. */
  readonly referrers: Pending;
}

/** Yields each image once its left-out layers are in its repository. */
async function* jobsOf(
  imports: readonly Import[],
  { bases, brought, referrers }: JobsOptions,
  context: Context,
): AsyncGenerator<Import | FailedJob> {
  const { signal, onEvent } = context;
  const lanes = new Lanes(lanesOf(context));
  for (const job of imports) {
    if (!isReferrer(job)) await referrers.ended(signal);
    const base = bases.get(job.image);
    const keyOfNeed = ({ need }: PlannedBases['held'][number]): string =>
      keyOf(need.destination.repository, need.layer);
    try {
      if (job.refused !== undefined) throw job.refused;
      const missing = (base?.held ?? []).filter((held) => !brought.has(keyOfNeed(held)));
      // Nothing of a refused image is written, and no layer of it. The copy asks again, of the same
      // bytes.
      if (missing.length > 0) await admitWhole(job, signal);
      const tasks = missing.map(
        ({ need, by }) =>
          (either: AbortSignal) =>
            bringBase(need, by, { lanes, signal: either, onEvent }),
      );
      await together(tasks, signal);
      for (const held of missing) brought.add(keyOfNeed(held));
      const destination =
        base === undefined ? job.destination : withKnownBlobs(job.destination, base.digests);
      yield { ...job, destination };
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      yield { image: job.image, error };
    }
  }
}

function keyOf(repository: string, { digest }: Descriptor): string {
  return `${repository} ${digest}`;
}

function openAll(
  planned: readonly PlannedImport[],
  { location, from: { store, isMade }, naming, policy }: ImportRequest,
  stores: Stores,
): Promise<readonly Import[]> {
  return Promise.all(
    planned.map(async (plan): Promise<Import> => {
      const { name, tag, root } = plan.entry;
      const { gate, refused } = await gateOfImport(policy, plan, { location, naming }, stores);
      // A name with a digest is looked up by its digest, which need not be that of this entry.
      const reference = name === undefined || name.includes('@') ? root.digest : name;
      const from = { store, reference, tag, isMade };
      const alone = planned.length === 1;
      const job = await jobFrom(from, plan.target, stores, { alone, gate });
      // Images without a tag share the name of their repository: only the digest tells them apart.
      const isShared = job.tag === undefined && !job.image.includes('@');
      return {
        ...plan,
        ...job,
        refused,
        subject: await subjectOf(plan.entry, store),
        image: isShared ? `${job.image}@${root.digest}` : job.image,
      };
    }),
  );
}
