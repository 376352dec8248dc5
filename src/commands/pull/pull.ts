import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { assertNever, UsageError } from '../../errors.ts';
import { familiarReference, formatReference, withDefaultTag } from '../../oci/reference.ts';
import type { CopyJob } from '../../operations/copy/copy-image.ts';
import { copyImages } from '../../operations/copy/copy-images.ts';
import { resolveIfThere } from '../../operations/copy/resolve-image.ts';
import { flag, positional, value } from '../arguments/arguments.ts';
import { lanesOf } from '../arguments/copy-options.ts';
import { parseLocation, parseRepositoryLocation, type Location } from '../../targets/location.ts';
import { withStores, type OpenedStore, type Stores } from '../../targets/open-store.ts';
import { pullDestination, type PullDestination } from './destination.ts';
import { plannedPulls, type PlannedPull } from './plan.ts';

export interface PullRow {
  /** In full: `docker.io/library/debian:12`. */
  readonly reference: string;
  /** As people write it: `debian:12`. */
  readonly name: string;
  /** Of what the reference points at, an index as a whole. */
  readonly digest: string;
  /** Of what was pulled: the index, or the manifest of one platform. */
  readonly manifest: string;
  /** Undefined when all platforms were pulled. */
  readonly platform: string | undefined;
  readonly status: 'downloaded' | 'up-to-date';
  /** Where it is now: `oci:DIR:12`, `local:docker.io/library/debian:12`. */
  readonly destination: string;
}

/** `regi pull`: an image for this machine into the local store, a layout or an archive, in docker's words. */
export const pullCommand: CommandBody<PullRow> = {
  run: runPull,
  text: pullText,
};

async function* runPull(args: ParsedArguments, context: Context): AsyncIterable<PullRow> {
  const typed = positional(args, 0, 'an image');
  const location = flag(args, 'all-tags') ? parseRepositoryLocation(typed) : parseLocation(typed);
  if (location.kind !== 'registry') {
    throw new UsageError('Cannot pull from there: expected an image of a registry', {
      hint: `type: regi copy ${typed} oci:DIR`,
    });
  }
  if (flag(args, 'all-platforms') && value(args, 'platform') !== undefined) {
    throw new UsageError('Cannot use --platform together with --all-platforms', {
      hint: 'leave one of them out',
    });
  }
  const destination = await pullDestination(value(args, 'output'), context);
  yield* withStores(context, {}, async function* (stores) {
    const from = await stores.open(location, 'source');
    const reference = flag(args, 'all-tags')
      ? location.reference
      : withDefaultTag(location.reference);
    const planned = plannedPulls(reference, from, args, context);
    if (destination.kind === 'archive') {
      const { pullToArchive } = await import('./to-archive.ts');
      yield* pullToArchive(planned, from, destination.to, context);
    } else yield* pullImages(planned, from, { destination, stores, context });
  });
}

/** An image that is being pulled, and what is to be said of it. */
interface Pull extends PlannedPull {
  readonly job: CopyJob;
  readonly wasThere: boolean;
}

interface PullTo {
  readonly destination: Exclude<PullDestination, { readonly kind: 'archive' }>;
  readonly stores: Stores;
  readonly context: Context;
}

async function* pullImages(
  planned: AsyncIterable<PlannedPull>,
  from: OpenedStore,
  to: PullTo,
): AsyncIterable<PullRow> {
  const { signal, onEvent } = to.context;
  const pulls = new Map<string, Pull>();
  const jobs = async function* (): AsyncIterable<CopyJob> {
    for await (const plan of planned) {
      const pull = await beginPull(plan, from, to);
      pulls.set(pull.job.image, pull);
      yield pull.job;
    }
  };
  for await (const { image, root } of copyImages(jobs(), {
    signal,
    onEvent,
    lanes: lanesOf(to.context),
  })) {
    const pull = pulls.get(image);
    if (pull === undefined) throw new Error(`An image was copied that nobody planned: ${image}`);
    const { reference, digest, platform, job, wasThere } = pull;
    // Without a tag nothing would lead to it.
    if (job.tag === undefined) await job.destination.tag(root, root.digest, { signal });
    if (to.destination.kind === 'local') {
      const { domain, path } = reference;
      const name =
        job.tag === undefined
          ? { domain, path, digest: root.digest }
          : { ...reference, digest: undefined };
      await (
        await to.stores.openLocal('destination')
      ).recordPulled(name, digest === root.digest ? undefined : digest, { signal });
    }
    yield {
      reference: formatReference(reference),
      name: familiarReference(reference),
      digest,
      manifest: root.digest,
      platform,
      status: wasThere ? 'up-to-date' : 'downloaded',
      destination: image,
    };
  }
}

/** Finds out what to copy. The place is not made before the image is found. */
async function beginPull(
  plan: PlannedPull,
  from: OpenedStore,
  { destination, stores, context }: PullTo,
): Promise<Pull> {
  const { signal } = context;
  const { reference, wanted } = plan;
  const to = await stores.open(locationFor(plan, destination), 'destination');
  const { tag } = reference;
  const image = tag === undefined ? `${to.name}@${wanted.digest}` : `${to.name}:${tag}`;
  const there = await resolveIfThere(to.store, tag ?? wanted.digest, { signal });
  // In the local store it keeps its content, as it does in docker's, and nobody needs to be told.
  if (there !== undefined && there.digest !== wanted.digest && destination.kind !== 'local')
    context.note(`${image} was ${there.digest} before`);
  return {
    ...plan,
    wasThere: there?.digest === wanted.digest,
    job: { source: from.store, reference: wanted.digest, destination: to.store, tag, image },
  };
}

function locationFor({ reference }: PlannedPull, destination: PullTo['destination']): Location {
  switch (destination.kind) {
    case 'local':
      return { kind: 'local', reference };
    case 'layout':
      return { kind: 'oci', path: destination.path };
    default:
      return assertNever(destination);
  }
}

function pullText(
  { reference, name, digest, status, destination }: PullRow,
  { settings }: Context,
): string {
  // The archive itself is on standard output then, and a line behind it would be part of it.
  if (/^[a-z-]*archive:-(?::|$)/.test(destination)) return '';
  if (settings.quiet) return `${reference}\n`;
  const said = status === 'downloaded' ? 'Downloaded newer image for' : 'Image is up to date for';
  return `Digest: ${digest}\nStatus: ${said} ${name}\n${reference}\n`;
}
