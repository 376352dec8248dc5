import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import {
  formatReference,
  imageName,
  isTag,
  parseReference,
  referenceIn,
  repositoryName,
  withDefaultTag,
  type Reference,
} from '../../oci/reference.ts';
import { copyImages } from '../../operations/copy/copy-images.ts';
import { quote } from '../../quote.ts';
import { findLocalIfPresent } from '../../targets/local.ts';
import { refuseRegistry, type Location, type NamedLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { OpenedStore, Stores } from '../../targets/opened-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';
import type { Gate } from '../../trust/gate.ts';
import type { TrustPolicy } from '../../trust/policy.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { transferOptions } from '../arguments/copy-options.ts';
import type { NamedJob } from '../copy/jobs.ts';
import { digestRow, digestText, type DigestRow } from '../output/digest-row.ts';
import { gateOfCopy, gateFor } from '../trust/gates.ts';
import { readPolicy } from '../trust/policy.ts';

/** A new name for an image. */
interface NewName {
  /** As typed. */
  readonly text: string;
  readonly name: Reference;
  /** True for a name in the local store. */
  readonly isLocal: boolean;
}

/** `regi tag`: gives an image another name, in its own registry or in the local store. */
export const tagCommand: CommandBody<DigestRow> = { run: runTag, text: digestText };

const LOCAL = /^local:/;
const SCHEME = /^docker:\/\//;

async function* runTag(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const typed = positional(args, 0, 'an image');
  const texts = args.positionals.slice(1);
  if (texts.length === 0)
    throw new UsageError('Cannot tag: expected a new name, found nothing', {
      hint: `type: regi tag ${typed} NEW`,
    });
  const policy = await readPolicy(args, context);
  yield* withStores(context, { mountOnly: flag(args, 'mount-only') }, async function* (stores) {
    const parsed = await parseImage(typed, stores, context);
    const { image } = parsed;
    const names = texts.map((text) => newName(text, { ...parsed, typed }));
    const [local, remote] = [
      names.filter((name) => name.isLocal),
      names.filter((name) => !name.isLocal),
    ];
    // Local names come first, because they fail at once if they fail.
    const [first] = local;
    if (first !== undefined)
      yield* tagLocally({ typed, first, names: local, policy }, stores, context);
    if (remote.length === 0) return;
    const from = await stores.open({ kind: 'registry', reference: image }, 'source');
    const source: Location = { kind: 'registry', reference: image };
    const copying = { source, text: typed, isRemote: from.isRemote };
    const gate = await gateOfCopy(policy, copying, stores);
    const jobs = await Promise.all(remote.map(({ name }) => tagJob(from, name, stores, gate)));
    context.note(`Tagging in the registry ${image.domain}`);
    for await (const { job, ...tagged } of copyImages(jobs, transferOptions(context)))
      yield digestRow(tagged, job.name);
  });
}

const IMAGE_ID = /^(?:sha256:[0-9a-f]{64}|[0-9a-f]{12,64})$/;

/** The image that gets new names. */
interface ImageToTag {
  readonly image: Reference;
  /** True for an image of the local store. */
  readonly isLocal: boolean;
  /** As typed. */
  readonly typed: string;
}

/** The repository of an image without a name: no new name can be a tag of it. */
const NAMELESS: Reference = { domain: '', path: '' };

/**
 * Parses the image to tag. An image id means nothing in a registry, so it is looked up in the local
 * store.
 */
async function parseImage(
  text: string,
  stores: Stores,
  { io, signal }: Context,
): Promise<Omit<ImageToTag, 'typed'>> {
  const bare = text.replace(LOCAL, '');
  const found = IMAGE_ID.test(bare)
    ? await findLocalIfPresent(await stores.openLocal('source'), bare, { signal })
    : undefined;
  if (found !== undefined) return { image: found.images[0].reference ?? NAMELESS, isLocal: true };
  const location = await parseSourceLocation(text, io);
  if (!('path' in location))
    return {
      image: location.reference,
      isLocal: location.kind === 'local' || !namesRegistry(text, location.reference),
    };
  throw new UsageError('Cannot tag there: expected an image of a registry', {
    hint: 'tag a layout by copying: regi copy oci:DIR:OLD oci:DIR:NEW',
  });
}

/**
 * True if a reference was typed with its registry: docker's users mean an image of this machine by
 * any other.
 */
function namesRegistry(text: string, { domain }: Reference): boolean {
  return SCHEME.test(text) || domain !== 'docker.io' || /^(?:index\.)?docker\.io\//.test(text);
}

/** Matches bare words that a person may mean as a tag, although docker takes them for names. */
const LIKE_TAG = /^(?:latest$|stable$|edge$|v?\d)/;

/**
 * Parses a new name. A bare word is a tag of the image's repository in a registry, and a name in
 * the local store, as in docker; `:TAG` is a tag in both. A reference in another registry than that
 * of the image is a name in the local store.
 *
 * @throws {UsageError} for a bare word that could be either.
 */
function newName(text: string, { image, isLocal, typed }: ImageToTag): NewName {
  refuseRegistry(text.replace(LOCAL, ''));
  const bare = text.replace(/^:/, '');
  const isWord = isTag(bare) && image !== NAMELESS;
  if (isLocal && SCHEME.test(text))
    throw new UsageError(`Cannot tag as ${quote(text)}: the image is in the local store`, {
      hint: `type: regi push ${typed} ${text}`,
    });
  if (isLocal && isWord && bare === text && (LIKE_TAG.test(text) || /[^a-z0-9._-]/.test(text))) {
    throw new UsageError(`Cannot tag as ${quote(text)}: it could be a tag or a name`, {
      hint:
        `type: regi tag ${typed} :${text}, for the local store, ` +
        `or: regi tag docker://${formatReference(image)} ${text}, for the registry`,
    });
  }
  const isOwnTag = isWord && (!isLocal || bare !== text);
  const name = isOwnTag
    ? { domain: image.domain, path: image.path, tag: bare }
    : withDefaultTag(parseReference(text.replace(LOCAL, '').replace(SCHEME, '')));
  if (name.digest !== undefined)
    throw new UsageError(`Cannot tag as ${quote(text)}: expected a tag, found a digest`);
  return { text, name, isLocal: isLocal || LOCAL.test(text) || name.domain !== image.domain };
}

async function tagJob(
  from: Pick<OpenedStore, 'store' | 'reference'>,
  reference: Reference,
  stores: Stores,
  gate: Gate | undefined,
  kind: NamedLocation['kind'] = 'registry',
): Promise<NamedJob> {
  const { store, tag, name } = await stores.open({ kind, reference }, 'destination');
  return {
    source: from.store,
    reference: from.reference,
    destination: store,
    tag,
    image: imageName(name, { tag }),
    name,
    alone: false,
    gate,
  };
}

interface LocalTagging {
  readonly typed: string;
  readonly first: NewName;
  readonly names: readonly NewName[];
  readonly policy: TrustPolicy | undefined;
}

/** Gives an image of the local store other names there. */
async function* tagLocally(
  { typed, first, names, policy }: LocalTagging,
  stores: Stores,
  context: Context,
): AsyncIterable<DigestRow> {
  const { signal, note } = context;
  const image = typed.replace(LOCAL, '');
  // Opened as a source first: a missing store is not created for a missing image.
  const found = await findLocalIfPresent(
    await stores.openLocal('source'),
    image.replace(SCHEME, ''),
    { signal },
  );
  const target = first.text.replace(LOCAL, '');
  if (found === undefined) {
    // A name of docker's registry may be meant in that registry, where it is not written unless
    // that is said.
    const isOfHub = first.name.domain === 'docker.io' && referenceIn(image) !== undefined;
    throw new RegiError(
      'NOT_FOUND',
      `Cannot tag "${image}" as "${target}": it is not in the local store`,
      {
        hint: isOfHub
          ? `type first: regi pull ${image}; or, in the registry: regi tag docker://${image} ${target}`
          : `to copy it there, type: regi copy ${image} ${target}; or first: regi pull ${image}`,
      },
    );
  }
  const { root, reference } = found.images[0];
  const store = await stores.openLocal('destination');
  note('Tagging in the local store');
  if (policy !== undefined) {
    // The store may have got its names from archives, so the new name decides. Signatures get names
    // beside it.
    const repository = reference && repositoryName(reference);
    const jobs = names.map(async ({ name }) => {
      const gate = await gateFor(policy, { name, text: typed }, stores);
      const from = { store: store.whole, reference: root.digest };
      return tagJob(from, name, stores, { ...gate, repository }, 'local');
    });
    for await (const { job, ...tagged } of copyImages(
      await Promise.all(jobs),
      transferOptions(context),
    ))
      yield digestRow(tagged, job.name);
    return;
  }
  for (const { name } of names) {
    const repository = store.openRepository(name);
    await repository.tag(root, name.tag ?? 'latest', { signal });
    const shown = `local:${repositoryName(name)}`;
    yield digestRow({ image: imageName(shown, name), root, outcome: 'copied' }, shown);
  }
}
