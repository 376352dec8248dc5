import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import {
  familiarReference,
  formatReference,
  parseTag,
  type Reference,
} from '../../oci/reference.ts';
import { PlatformNotFoundError, platformOfImage } from '../../operations/copy/choose-platform.ts';
import {
  imageForHost,
  readForHost,
  servesHost,
  type ImageForHost,
} from '../../operations/copy/resolve-image.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';
import { admissionText, admit, type Gate } from '../../trust/gate.ts';
import { flag, platformChoice } from '../arguments/arguments.ts';
import { tagsOf, type Unusable } from '../arguments/matching-tags.ts';

/** An image to pull: a name, and the part of its target that this machine needs. */
export interface PlannedPull {
  readonly reference: Reference;
  /** The target of the reference, an index as a whole. */
  readonly digest: Digest;
  /** The manifest or index to pull. */
  readonly wanted: Descriptor;
  /** Undefined when all platforms are pulled. */
  readonly platform: string | undefined;
  /** Lets the signatures of the verified image move along; undefined without a policy. */
  readonly gate: Gate | undefined;
}

export interface PullRow {
  /** In full: `docker.io/library/debian:12`. */
  readonly reference: string;
  /** As people write it: `debian:12`. */
  readonly name: string;
  /** The target of the reference, an index as a whole. */
  readonly digest: string;
  /** The content that was pulled: the index, or the manifest of one platform. */
  readonly manifest: string;
  /** Undefined when all platforms were pulled. */
  readonly platform: string | undefined;
  readonly status: 'downloaded' | 'up-to-date';
  /** The pulled image: `oci:DIR:12`, `local:docker.io/library/debian:12`. */
  readonly destination: string;
}

export function pullRow(
  { reference, digest, platform }: PlannedPull,
  { digest: manifest }: Descriptor,
  destination: string,
  status: PullRow['status'],
): PullRow {
  const names = { reference: formatReference(reference), name: familiarReference(reference) };
  return { ...names, digest, manifest, platform, status, destination };
}

/** Where images are pulled from, and who has to have signed them. */
export interface PullSource {
  readonly from: OpenedStore;
  /** Opens the gate of one image; undefined without a policy. */
  readonly gateOf: (image: Reference) => Promise<Gate | undefined>;
}

/**
 * Yields the images of a command line in its order. With `--all-tags`, images for other platforms
 * are skipped with a warning.
 */
export async function* plannedPulls(
  reference: Reference,
  source: PullSource,
  args: ParsedArguments,
  context: Context,
  unusable: Unusable,
): AsyncIterable<PlannedPull> {
  if (!flag(args, 'all-tags')) {
    const planned = await planPull(reference, source, args, context);
    if (planned !== undefined) yield planned;
    return;
  }
  const tags: string[] = [];
  await context.wait('Listing tags', async () => {
    for await (const tag of tagsOf(source.from, context, () => unusable.add())) tags.push(tag);
  });
  let images = tags.length;
  context.onEvent({ kind: 'listed', images });
  for (const tag of tags) {
    const planned = await planPull({ ...reference, tag: parseTag(tag) }, source, args, context);
    if (planned !== undefined) yield planned;
    else context.onEvent({ kind: 'listed', images: (images -= 1) });
  }
}

async function planPull(
  reference: Reference,
  { from, gateOf }: PullSource,
  args: ParsedArguments,
  context: Context,
): Promise<PlannedPull | undefined> {
  const { signal, io } = context;
  const asked = await gateOf(reference);
  const choice = platformChoice(args, context);
  const identifier = reference.digest ?? reference.tag ?? '';
  const found = await unlessPassedOver(flag(args, 'all-tags'), () =>
    readForHost(from.store, identifier, choice, { signal }),
  );
  if (
    found === undefined ||
    (flag(args, 'all-tags') &&
      !flag(args, 'all-platforms') &&
      found.root.manifest.kind === 'index' &&
      found.chosen === undefined)
  ) {
    context.warn(
      `Skipped "${formatReference(reference)}": it is not for ${formatPlatform(choice.platform ?? io.host)}`,
      'name another platform with --platform, or add --all-platforms',
    );
    return undefined;
  }
  const { descriptor } = found.root;
  const { digest } = descriptor;
  const isSparse = flag(args, 'sparse');
  const isWhole = flag(args, 'all-platforms');
  const wanted = isSparse || isWhole ? descriptor : imageForHost(found, io.host);
  // A policy.json asks for the signatures of images, and a sparse index has some that the copy
  // alone knows.
  const isOfImages = asked?.rule.kind === 'containers';
  const verified = isOfImages ? wanted.digest : digest;
  const gate =
    asked && !(isOfImages && isSparse)
      ? await admitRoot(asked, { reference, digest: verified }, from, context)
      : asked;
  if (isWhole) return { reference, digest, wanted, platform: undefined, gate };
  const platform = await platformOf(found, from, choice.platform === undefined, context);
  return { reference, digest, wanted, platform, gate };
}

/**
 * Verifies the root that the name means. One platform of it is then pulled by the digest that it
 * states.
 */
async function admitRoot(
  asked: Gate,
  { reference, digest }: Pick<PlannedPull, 'reference' | 'digest'>,
  { store }: OpenedStore,
  { signal, note }: Context,
): Promise<Gate> {
  const gate = { ...asked, name: formatReference(reference) };
  const roots = { found: digest, landed: digest, isMade: false };
  note(admissionText(gate, digest, await admit(gate, store, roots, { signal })));
  return { ...gate, verified: digest };
}

/** Returns undefined for one of many images that lacks the wanted platform. */
async function unlessPassedOver<T>(
  isOneOfMany: boolean,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isOneOfMany && error instanceof PlatformNotFoundError) return undefined;
    throw error;
  }
}

/** Returns the platform that is pulled, and warns when it is not that of this machine. */
async function platformOf(
  { root: { manifest }, chosen }: ImageForHost,
  { store }: OpenedStore,
  warns: boolean,
  { io, signal, warn }: Context,
): Promise<string | undefined> {
  if (chosen !== undefined) return formatPlatform(chosen.platform);
  if (manifest.kind !== 'image') return undefined;
  const own = await platformOfImage(manifest, store, { signal });
  if (own === undefined) return undefined;
  if (warns && !servesHost(own, io.host))
    warn(`The image is for ${formatPlatform(own)}, and this machine is ${formatPlatform(io.host)}`);
  return formatPlatform(own);
}
