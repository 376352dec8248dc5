import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { isTag, parseReference, type Reference } from '../oci/reference.ts';
import { copyImages } from '../operations/copy-images.ts';
import { mountOnly } from '../stores/mount-only.ts';
import { UsageError } from '../usage-error.ts';
import { flag, positional } from './arguments.ts';
import { lanesOf } from './copy.ts';
import { digestRow, type DigestRow } from './digest-row.ts';
import { parseLocation } from './location.ts';
import { withStores, type Stores } from './open-store.ts';
import type { NamedJob } from './copy-jobs.ts';

/** `regi tag`: another name for an image, in its own registry. */
export const tagCommand: CommandBody<DigestRow> = {
  run: runTag,
  text: ({ name, digest }) => `${name}@${digest}\n`,
};

async function* runTag(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const location = parseLocation(positional(args, 0, 'an image'));
  if (location.kind !== 'registry')
    throw new UsageError('Cannot tag there: expected an image of a registry', { hint: 'layouts are tagged by copying: regi copy oci:DIR:OLD oci:DIR:NEW' });
  const image = location.reference;
  const names = args.positionals.slice(1).map((name) => newName(name, image));
  if (names.length === 0)
    throw new UsageError('Cannot tag: expected a new name, found nothing', { hint: `type: regi tag ${args.positionals[0] ?? 'REF'} NEW` });
  yield* withStores(context, {}, async function* (stores) {
    const jobs = await Promise.all(names.map(async (name) => tagJob(image, name, stores, flag(args, 'mount-only'))));
    const nameOf = new Map(jobs.map((job) => [job.image, job.name]));
    context.note(`Tagging in the registry ${image.domain}`);
    for await (const copied of copyImages(jobs, { signal: context.signal, onEvent: context.onEvent, lanes: lanesOf(context) })) {
      yield digestRow(copied, nameOf.get(copied.image) ?? copied.image);
    }
  });
}

/** A bare word is a tag of the same repository; anything else is a reference. */
function newName(text: string, image: Reference): Reference {
  const bare = text.startsWith(':') ? text.slice(1) : text;
  const name: Reference = isTag(bare) ? { domain: image.domain, path: image.path, tag: bare } : parseReference(text.replace(/^docker:\/\//, ''));
  if (name.digest !== undefined) throw new UsageError(`Cannot tag as ${JSON.stringify(text)}: expected a tag, found a digest`);
  if (name.domain !== image.domain) {
    throw new UsageError(`Cannot tag across registries: "${image.domain}" and "${name.domain}"`, {
      hint: `to copy it there, type: regi copy ${image.domain}/${image.path}${image.tag === undefined ? '' : `:${image.tag}`} ${text}`,
    });
  }
  return name;
}

async function tagJob(image: Reference, name: Reference, stores: Stores, mount: boolean): Promise<NamedJob> {
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
