import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { imageName, withDefaultTag, type Reference } from '../../oci/reference.ts';
import type { CopyImageOptions, CopyJob } from '../../operations/copy/copy-image.ts';
import { copyImages } from '../../operations/copy/copy-images.ts';
import { resolveIfThere } from '../../operations/copy/resolve-image.ts';
import { isBarePath, type LayoutLocation } from '../../targets/location.ts';
import { quote } from '../../quote.ts';
import { withStores } from '../../targets/open-store.ts';
import { parseSourceLocation, parseSourceRepository, TAR_NAME } from '../../targets/path.ts';
import type { OpenedStore, Stores } from '../../targets/opened-store.ts';
import type { Gate } from '../../trust/gate.ts';
import { flag, platformOption, positional, value } from '../arguments/arguments.ts';
import { Unusable } from '../arguments/matching-tags.ts';
import { transferOptions } from '../arguments/copy-options.ts';
import { listUntagged } from '../copy/copy.ts';
import { gateOfCopy } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';
import { parseOutput } from './destination.ts';
import { plannedPulls, pullRow, type PlannedPull, type PullRow } from './plan.ts';

/**
 * `regi pull`: pulls an image for this machine into the local store, a layout or an archive, with
 * docker's output.
 */
export const pullCommand: CommandBody<PullRow> = { run: runPull, text: pullText };

/**
 * Returns the file of `crane pull REF FILE`. Another word is more likely a second image, which is
 * not pulled.
 */
function fileArgument({ positionals: [first, file] }: ParsedArguments): string | undefined {
  if (file === undefined || TAR_NAME.test(file) || isBarePath(file)) return file;
  throw new UsageError(`Cannot pull into ${quote(file)}: expected one image, or a file after it`, {
    hint: `to write a file, type: regi pull ${first ?? 'REF'} -o ${file}; for two images, pull each`,
  });
}

async function* runPull(args: ParsedArguments, context: Context): AsyncIterable<PullRow> {
  const typed = positional(args, 0, 'an image');
  const allTags = flag(args, 'all-tags');
  const location = await (allTags ? parseSourceRepository : parseSourceLocation)(typed, context.io);
  if (location.kind !== 'registry')
    throw new UsageError('Cannot pull from there: expected an image of a registry', {
      hint: `type: regi copy ${typed} oci:DIR`,
    });
  if (flag(args, 'all-platforms') && value(args, 'platform') !== undefined)
    throw new UsageError('Cannot use --platform together with --all-platforms', {
      hint: 'drop one of them',
    });
  const output = value(args, 'output') ?? fileArgument(args);
  if (flag(args, 'sparse')) checkSparse(args, output);
  if (flag(args, 'referrers') && output !== undefined && !/[\\/]$|^oci:/.test(output))
    throw new UsageError('Cannot use --referrers with an archive', {
      hint: `type: regi export --referrers ${typed} -o ${output}`,
    });
  const to = output === undefined ? undefined : await parseOutput(output, context);
  const unusable = new Unusable();
  const policy = await readPolicy(args, context);
  yield* withStores(context, {}, async function* (stores) {
    const from = await stores.open(location, 'source');
    const reference = allTags ? location.reference : withDefaultTag(location.reference);
    const { isRemote } = from;
    const gateOf = async (image: Reference): Promise<Gate | undefined> =>
      gateOfCopy(
        policy,
        { source: { ...location, reference: image }, text: typed, isRemote },
        stores,
      );
    const planned = plannedPulls(reference, { from, gateOf }, args, context, unusable);
    if (to?.kind === 'archive') {
      const { pullToArchive } = await import('./to-archive.ts');
      yield* pullToArchive(planned, from, to.location, narrowing(args, context), context);
    } else yield* pullImages(planned, { from, layout: to?.location, args, stores, context });
  });
  unusable.check();
}

/** The local store keeps the image of one platform, and beside it the digest of its index. */
function checkSparse(args: ParsedArguments, output: string | undefined): void {
  if (output === undefined)
    throw new UsageError('Cannot use --sparse without -o: the local store keeps single platforms', {
      hint: 'name a file or a folder: -o FILE, or -o DIR/',
    });
  if (value(args, 'platform') === undefined && !flag(args, 'all-platforms'))
    throw new UsageError('Cannot use --sparse alone: expected --platform beside it', {
      hint: 'name the platform to keep: --platform linux/amd64',
    });
}

/** Returns what is left out of indexes. Other pulls name the manifest of the platform itself. */
function narrowing(
  args: ParsedArguments,
  context: Context,
): Pick<CopyImageOptions, 'sparse' | 'platforms'> {
  if (!flag(args, 'sparse')) return {};
  const platform = platformOption(args, context);
  return { sparse: true, platforms: platform === undefined ? [] : [platform] };
}

/** An image that is being pulled. */
interface Pull extends CopyJob {
  readonly plan: PlannedPull;
  readonly wasPresent: boolean;
}

interface PullOptions {
  readonly from: OpenedStore;
  /** The destination; the local store when absent. */
  readonly layout: LayoutLocation | undefined;
  readonly args: ParsedArguments;
  readonly stores: Stores;
  readonly context: Context;
}

async function* pullImages(
  planned: AsyncIterable<PlannedPull>,
  { from, layout, args, stores, context }: PullOptions,
): AsyncIterable<PullRow> {
  const jobs = async function* (): AsyncIterable<Pull> {
    for await (const plan of planned) {
      const pull = await beginPull(plan, from, layout, stores, context);
      // The question costs two requests an image.
      yield { ...pull, warnOfReferrers: !flag(args, 'all-tags') };
    }
  };
  const force = flag(args, 'verify-existing');
  const referrers = flag(args, 'referrers');
  const options = { ...transferOptions(context), ...narrowing(args, context), force, referrers };
  for await (const { image, root, job } of copyImages(jobs(), options)) {
    await listUntagged(job, root, context);
    const { plan, wasPresent } = job;
    if (layout === undefined) await recordPulled(plan, root.digest, stores, context.signal);
    yield pullRow(plan, root, image, wasPresent ? 'up-to-date' : 'downloaded');
  }
}

/** Opens the destination, which is created only once the image is found. */
async function beginPull(
  plan: PlannedPull,
  from: OpenedStore,
  layout: LayoutLocation | undefined,
  stores: Stores,
  { signal, note }: Context,
): Promise<Pull> {
  const { reference, wanted } = plan;
  const { tag } = reference;
  const to = await stores.open(layout ?? { kind: 'local', reference }, 'destination');
  const image = imageName(to.name, tag === undefined ? wanted : { tag });
  const present = await resolveIfThere(to.store, tag ?? wanted.digest, { signal });
  // The local store keeps the content without its name, as docker's does, so the note is for
  // layouts only.
  if (present !== undefined && present.digest !== wanted.digest && layout !== undefined)
    note(`${image} was ${present.digest} before`);
  return {
    source: from.store,
    reference: wanted.digest,
    destination: to.store,
    tag,
    image,
    gate: plan.gate,
    plan,
    wasPresent: present?.digest === wanted.digest,
  };
}

/** Records in the local store which index a platform was pulled from. */
async function recordPulled(
  { reference, digest }: PlannedPull,
  root: PlannedPull['digest'],
  stores: Stores,
  signal: AbortSignal,
): Promise<void> {
  const { domain, path, tag } = reference;
  const name = tag === undefined ? { domain, path, digest: root } : { domain, path, tag };
  const local = await stores.openLocal('destination');
  await local.recordPulled(name, digest === root ? undefined : digest, { signal });
}

function pullText(
  { reference, name, digest, status, destination }: PullRow,
  { settings }: Context,
): string {
  // A row on standard output would become part of the archive.
  if (/^[a-z-]*archive:-(?::|$)/.test(destination)) return '';
  if (settings.quiet) return `${reference}\n`;
  const message =
    status === 'downloaded' ? 'Downloaded newer image for' : 'Image is up to date for';
  return `Digest: ${digest}\nStatus: ${message} ${name}\n${reference}\n`;
}
