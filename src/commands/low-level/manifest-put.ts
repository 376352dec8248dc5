import { resolve } from 'node:path';

import { bytesOf, collect, ContentMismatchError } from '../../bytes.ts';
import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { openLocalFile } from '../../disk/input-file.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, digestOf } from '../../oci/digest.ts';
import { childrenOf, parseManifest, type Manifest } from '../../oci/manifest.ts';
import { parseMediaType } from '../../oci/media-types.ts';
import { withStores } from '../../targets/open-store.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';
import { parseDestinationLocation } from '../../targets/path.ts';
import { positional, value } from '../arguments/arguments.ts';

/** A manifest in its repository. */
interface PutManifest {
  /** Without tag. */
  readonly name: string;
  /** Undefined when it was put by its digest. */
  readonly tag: string | undefined;
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
}

/** `regi manifest put`: pushes a manifest from a file, byte for byte. */
export const manifestPutCommand: CommandBody<PutManifest> = {
  run: runManifestPut,
  text: ({ name, digest }) => `${name}@${digest}\n`,
};

async function* runManifestPut(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<PutManifest> {
  const location = await parseDestinationLocation(positional(args, 0, 'a name'), context.io);
  const given = value(args, 'media-type');
  const mediaType = given === undefined ? undefined : parseMediaType('--media-type', given);
  const bytes = await readInput(positional(args, 1, 'a file'), context);
  const manifest = parseManifest(bytes, mediaType);
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const opened = await stores.open(location, 'destination');
    const { store, name, isRemote } = opened;
    const expected = descriptorOf(bytes, manifest, opened);
    // A registry checks it, and may hold content that a client cannot see.
    if (isRemote !== true) await requireContent(opened, manifest, signal);
    const tag = opened.pinned === undefined ? opened.tag : undefined;
    await store.push(expected, bytesOf(bytes), { signal, tag });
    const { digest, mediaType, size } = expected;
    yield { name, tag, digest, mediaType, size };
  });
}

async function readInput(path: string, { io, signal }: Context): Promise<Uint8Array> {
  if (path === '-')
    return collect(io.stdin.bytes(), LIMITS.manifestBytes, 'the manifest on standard input');
  const { read } = await openLocalFile(resolve(io.cwd, path), { signal });
  return collect(read({ signal }), LIMITS.manifestBytes, `the manifest in "${path}"`);
}

/** @throws {ContentMismatchError} when another digest was typed. */
function descriptorOf(
  bytes: Uint8Array,
  { mediaType }: Manifest,
  { pinned }: OpenedStore,
): Descriptor {
  const digest = digestOf(bytes, pinned === undefined ? 'sha256' : algorithmOf(pinned));
  const size = bytes.byteLength;
  if (pinned !== undefined && digest !== pinned)
    throw new ContentMismatchError({ mediaType, digest: pinned, size }, digest);
  return { mediaType, digest, size };
}

/** A layout accepts any manifest, so a missing blob would only surface when a reader needs it. */
async function requireContent(
  { store, name }: OpenedStore,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const missing: Descriptor[] = [];
  for (const child of childrenOf(manifest)) {
    const isForeign = (child.urls ?? []).length > 0;
    if (!isForeign && !(await store.exists(child, { signal }))) missing.push(child);
  }
  const [first] = missing;
  if (first === undefined) return;
  throw new RegiError(
    'NOT_FOUND',
    `Cannot put the manifest into "${name}": ${missing.length === 1 ? 'a blob' : `${missing.length} blobs`} of it are missing, such as ${first.digest}`,
    { hint: `put them first: regi blob put ${name} FILE` },
  );
}
