import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform, parsePlatform } from '../../oci/platform.ts';
import { formatReference, parseTag, type Reference } from '../../oci/reference.ts';
import { platformOfImage } from '../../operations/copy/choose-platform.ts';
import {
  imageForHost,
  readForHost,
  servesHost,
  type ImageForHost,
} from '../../operations/copy/resolve-image.ts';
import { canListTags } from '../../store.ts';
import { UsageError } from '../../errors.ts';
import { flag, value } from '../arguments/arguments.ts';
import type { OpenedStore } from '../../targets/open-store.ts';

/** An image to pull: which part of what its name points at. */
export interface PlannedPull {
  readonly reference: Reference;
  /** Of what the reference points at, an index as a whole. */
  readonly digest: Digest;
  readonly wanted: Descriptor;
  /** Undefined when all platforms are pulled. */
  readonly platform: string | undefined;
}

/** The images that a command line names, in its order. With `--all-tags` those that are not for this machine are passed over, and it is said. */
export async function* plannedPulls(
  reference: Reference,
  from: OpenedStore,
  args: ParsedArguments,
  context: Context,
): AsyncIterable<PlannedPull> {
  if (!flag(args, 'all-tags')) {
    const planned = await planPull(reference, from, args, context);
    if (planned !== undefined) yield planned;
    return;
  }
  const { store, name } = from;
  if (!canListTags(store))
    throw new UsageError(`Cannot list the tags of "${name}"`, { hint: 'name one tag' });
  const tags: string[] = [];
  for await (const tag of store.listTags({ signal: context.signal })) tags.push(tag);
  let images = tags.length;
  context.onEvent({ kind: 'listed', images });
  for (const tag of tags) {
    const planned = await planPull({ ...reference, tag: parseTag(tag) }, from, args, context);
    if (planned !== undefined) yield planned;
    else context.onEvent({ kind: 'listed', images: (images -= 1) });
  }
}

async function planPull(
  reference: Reference,
  from: OpenedStore,
  args: ParsedArguments,
  context: Context,
): Promise<PlannedPull | undefined> {
  const { signal, io } = context;
  const typed = value(args, 'platform');
  const choice = {
    platform: typed === undefined ? undefined : parsePlatform(typed, io.host),
    host: io.host,
  };
  const found = await readForHost(from.store, reference.digest ?? reference.tag ?? '', choice, {
    signal,
  });
  const { descriptor } = found.root;
  const { digest } = descriptor;
  if (flag(args, 'all-platforms'))
    return { reference, digest, wanted: descriptor, platform: undefined };
  if (
    flag(args, 'all-tags') &&
    found.root.manifest.kind === 'index' &&
    found.chosen === undefined
  ) {
    context.warn(
      `"${formatReference(reference)}" is not for ${formatPlatform(io.host)}, and was left out`,
      'name another with --platform, or take --all-platforms',
    );
    return undefined;
  }
  const wanted = imageForHost(found, io.host);
  return {
    reference,
    digest,
    wanted,
    platform: await platformOf(found, from, choice.platform === undefined, context),
  };
}

/** The platform that is pulled; a person is warned when it is none of this machine. */
async function platformOf(
  { root, chosen }: ImageForHost,
  { store }: OpenedStore,
  warns: boolean,
  context: Context,
): Promise<string | undefined> {
  if (chosen !== undefined) return formatPlatform(chosen.platform);
  const own =
    root.manifest.kind === 'image'
      ? await platformOfImage(root.manifest, store, { signal: context.signal })
      : undefined;
  if (own === undefined) return undefined;
  if (warns && !servesHost(own, context.io.host)) {
    context.warn(
      `The image is for ${formatPlatform(own)}, and this machine is ${formatPlatform(context.io.host)}`,
    );
  }
  return formatPlatform(own);
}
