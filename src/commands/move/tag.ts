import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { isTag, parseReference, withDefaultTag, type Reference } from '../../oci/reference.ts';
import { copyImages } from '../../operations/copy/copy-images.ts';
import { mountOnly } from '../../stores/decorators/mount-only.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { lanesOf } from '../arguments/copy-options.ts';
import { digestRow, digestText, type DigestRow } from '../output/digest-row.ts';
import { parseLocation } from '../../targets/location.ts';
import { withStores, type Stores } from '../../targets/open-store.ts';
import type { NamedJob } from '../copy/jobs.ts';

/** A name that an image is to get. */
export interface NewName {
  /** As typed. */
  readonly text: string;
  readonly name: Reference;
  /** In the local store, and not in a registry. */
  readonly isLocal: boolean;
}

/** `regi tag`: another name for an image, in its own registry or in the local store. */
export const tagCommand: CommandBody<DigestRow> = {
  run: runTag,
  text: digestText,
};

async function* runTag(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const typed = positional(args, 0, 'an image');
  const names = args.positionals.slice(1);
  if (names.length === 0)
    throw new UsageError('Cannot tag: expected a new name, found nothing', {
      hint: `type: regi tag ${typed} NEW`,
    });
  yield* withStores(context, {}, async function* (stores) {
    const { image, isLocal } = await parseImage(typed, stores, context);
    const targets = names.map((name) => newName(name, image, isLocal));
    const [local, remote] = [
      targets.filter((target) => target.isLocal),
      targets.filter((target) => !target.isLocal),
    ];
    // First what is at once clear to work or not.
    if (local.length > 0) {
      const { tagLocally } = await import('./tag-locally.ts');
      yield* tagLocally(typed.replace(LOCAL, ''), local, stores, context);
    }
    if (remote.length === 0) return;
    const jobs = await Promise.all(
      remote.map(async ({ name }) => tagJob(image, name, stores, flag(args, 'mount-only'))),
    );
    const nameOf = new Map(jobs.map((job) => [job.image, job.name]));
    context.note(`Tagging in the registry ${image.domain}`);
    for await (const copied of copyImages(jobs, {
      signal: context.signal,
      onEvent: context.onEvent,
      lanes: lanesOf(context),
    })) {
      yield digestRow(copied, nameOf.get(copied.image) ?? copied.image);
    }
  });
}

const LOCAL = /^local:/;
const IMAGE_ID = /^(?:sha256:[0-9a-f]{64}|[0-9a-f]{12,64})$/;

/** What is to get a name. An image id names nothing in a registry, so it is looked for in the local store first. */
async function parseImage(
  text: string,
  stores: Stores,
  { signal }: Context,
): Promise<{ readonly image: Reference; readonly isLocal: boolean }> {
  const bare = text.replace(LOCAL, '');
  if (IMAGE_ID.test(bare)) {
    const { findLocal } = await import('../../targets/local-images.ts');
    const found = await ifFound(findLocal(await stores.openLocal('source'), bare, { signal }));
    if (found !== undefined)
      return { image: found.images[0]?.reference ?? NAMELESS, isLocal: true };
  }
  const location = parseLocation(text);
  if (location.kind === 'registry' || location.kind === 'local')
    return { image: location.reference, isLocal: location.kind === 'local' };
  throw new UsageError('Cannot tag there: expected an image of a registry', {
    hint: 'layouts are tagged by copying: regi copy oci:DIR:OLD oci:DIR:NEW',
  });
}

/** The repository of an image without a name: no new name is a tag of it. */
const NAMELESS: Reference = { domain: '', path: '' };

async function ifFound<T>(finding: Promise<T>): Promise<T | undefined> {
  try {
    return await finding;
  } catch (error) {
    if (error instanceof RegiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** A bare word is a tag of the same repository; anything else is a reference. In another registry than the image's it is a name of the local store. */
function newName(text: string, image: Reference, isLocal: boolean): NewName {
  const bare = text.startsWith(':') ? text.slice(1) : text;
  const named = text.replace(LOCAL, '').replace(/^docker:\/\//, '');
  const name: Reference =
    isTag(bare) && image !== NAMELESS
      ? { domain: image.domain, path: image.path, tag: bare }
      : parseReference(named);
  if (name.digest !== undefined)
    throw new UsageError(`Cannot tag as ${JSON.stringify(text)}: expected a tag, found a digest`);
  return {
    text,
    name: withDefaultTag(name),
    isLocal: isLocal || LOCAL.test(text) || name.domain !== image.domain,
  };
}

async function tagJob(
  image: Reference,
  name: Reference,
  stores: Stores,
  mount: boolean,
): Promise<NamedJob> {
  const from = await stores.open({ kind: 'registry', reference: image }, 'source');
  const to = await stores.open({ kind: 'registry', reference: name }, 'destination');
  const tag = to.tag ?? to.defaultTag;
  return {
    source: from.store,
    reference: from.reference,
    destination: mount ? mountOnly(to.store) : to.store,
    tag,
    image: `${to.name}:${tag ?? ''}`,
    name: to.name,
    alone: false,
  };
}
