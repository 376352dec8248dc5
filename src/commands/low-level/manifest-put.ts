import { resolve } from 'node:path';

import { bytesOf, collect, ContentMismatchError } from '../../bytes.ts';
import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, digestOf } from '../../oci/digest.ts';
import { childrenOf, parseManifest, type Manifest } from '../../oci/manifest.ts';
import type { Store } from '../../store.ts';
import { openLocalFile } from '../../disk/input-file.ts';
import { positional, value } from '../arguments/arguments.ts';
import { parseLocation } from '../../targets/location.ts';
import { parseMediaType } from '../../oci/media-types.ts';
import { withStores, type OpenedStore } from '../../targets/open-store.ts';

/** A manifest as it is now in its repository. */
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

/** A manifest that names what is not there. */
export class MissingContentError extends RegiError {
  readonly missing: readonly Descriptor[];

  constructor(name: string, missing: readonly Descriptor[]) {
    super(
      'NOT_FOUND',
      `Cannot put the manifest into "${name}": ${missing.length === 1 ? 'a blob' : `${missing.length} blobs`} of it are not there, such as ${missing[0]?.digest ?? ''}`,
      {
        hint: `put them first: regi blob put ${name} FILE`,
      },
    );
    this.missing = missing;
  }
}

/** `regi manifest put`: a manifest from a file, byte for byte. */
export const manifestPutCommand: CommandBody<PutManifest> = {
  run: runManifestPut,
  text: ({ name, digest }) => `${name}@${digest}\n`,
};

async function* runManifestPut(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<PutManifest> {
  const location = parseLocation(positional(args, 0, 'a name'));
  const given = value(args, 'media-type');
  const told = given === undefined ? undefined : parseMediaType('--media-type', given);
  const bytes = await readInput(positional(args, 1, 'a file'), context);
  const manifest = parseManifest(bytes, told);
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const opened = await stores.open(location, 'destination');
    const { store, name } = opened;
    const expected = descriptorOf(bytes, manifest, opened);
    // A registry says it itself, and may know content that nobody else sees.
    if (location.kind !== 'registry') await requireContent(store, name, manifest, signal);
    const tag = opened.pinned === undefined ? (opened.tag ?? opened.defaultTag) : undefined;
    await store.push(expected, bytesOf(bytes), { signal, ...(tag !== undefined && { tag }) });
    yield {
      name,
      tag,
      digest: expected.digest,
      mediaType: expected.mediaType,
      size: expected.size,
    };
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
  if (pinned !== undefined && digest !== pinned)
    throw new ContentMismatchError({ mediaType, digest: pinned, size: bytes.byteLength }, digest);
  return { mediaType, digest, size: bytes.byteLength };
}

/** A layout believes what it is told; what leads nowhere would be found by whoever reads it. */
async function requireContent(
  store: Store,
  name: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const missing: Descriptor[] = [];
  for (const child of childrenOf(manifest)) {
    const isForeign = (child.urls ?? []).length > 0;
    if (!isForeign && !(await store.exists(child, { signal }))) missing.push(child);
  }
  if (missing.length > 0) throw new MissingContentError(name, missing);
}
