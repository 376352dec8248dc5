import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { verified } from '../bytes.ts';
import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { canResolveBlobs, type Bytes, type Store } from '../store.ts';
import { UsageError } from '../usage-error.ts';
import { positional, value } from './arguments.ts';
import { parseLocation } from './location.ts';
import { withStores, type OpenedStore } from './open-store.ts';

/** A piece of the blob, valid until the next is asked for; or what was written to a file. */
export type BlobRow = { readonly kind: 'bytes'; readonly bytes: Uint8Array } | { readonly kind: 'file'; readonly file: BlobFile };

export interface BlobFile {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** As typed. */
  readonly path: string;
}

/** `regi blob get`: the bytes of a blob, proved on the way. */
export const blobGetCommand: CommandBody<BlobRow> = {
  run: runBlobGet,
  text: (row) => (row.kind === 'bytes' ? row.bytes : ''),
  json: (row) => (row.kind === 'file' ? row.file : undefined),
};

async function* runBlobGet(args: ParsedArguments, context: Context): AsyncIterable<BlobRow> {
  const location = parseLocation(positional(args, 0, 'a blob'));
  const output = value(args, 'output');
  const path = output === '-' ? undefined : output;
  if (path === undefined) refuseOutput(context);
  const { signal } = context;
  yield* withStores(context, {}, async function* (stores) {
    const opened = await stores.open(location, 'source');
    const blob = await resolveBlob(opened, context);
    const content = verified(opened.store.fetch(blob, { signal }), blob);
    if (path === undefined) {
      for await (const bytes of content) yield { kind: 'bytes', bytes };
      return;
    }
    await writeFile(path, counted(content, blob, opened.store, context), context);
    context.onEvent({ kind: 'copied', target: blob, to: TO });
    yield { kind: 'file', file: { digest: blob.digest, size: blob.size, path } };
  });
}

async function resolveBlob({ store, pinned, name }: OpenedStore, { signal }: Context): Promise<Descriptor> {
  if (pinned === undefined) {
    throw new UsageError(`Cannot get a blob of "${name}": expected a digest behind it`, {
      hint: `type: regi blob get ${name}@sha256:…; regi manifest get shows the digests`,
    });
  }
  if (!canResolveBlobs(store))
    throw new UsageError(`Cannot find single blobs in "${name}"`, { hint: 'copy the image into a layout first: regi copy SRC oci:DIR' });
  return store.resolveBlob(pinned, { signal });
}

function refuseOutput({ io, settings }: Context): void {
  if (settings.json) throw new UsageError('Cannot show a blob as JSON', { hint: 'add -o FILE, or leave out --json' });
  if (io.stdout.isTTY)
    throw new UsageError('Cannot show a blob on a terminal: its bytes may be anything', { hint: 'add -o FILE, or pipe it: regi blob get … | less' });
}

/** Events name where bytes go; a file has no repository. */
const TO = '';

/** Progress like that of a copy. */
function counted(content: Bytes, target: Descriptor, from: Store, { onEvent }: Context): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      onEvent({ kind: 'started', target, from: from.repository, to: TO });
      for await (const chunk of content) {
        onEvent({ kind: 'progress', target, bytes: chunk.byteLength, to: TO });
        yield chunk;
      }
    },
  };
}

/** The file is there whole and proved, or not at all. */
async function writeFile(typed: string, content: Bytes, { io, signal }: Context): Promise<void> {
  const [{ writeAtomically }, { systemProcesses }, { TempFiles }, { ifPresent }] = await Promise.all([
    import('../stores/atomic-write.ts'),
    import('../stores/processes.ts'),
    import('../stores/temp-files.ts'),
    import('../stores/storage-error.ts'),
  ]);
  const path = resolve(io.cwd, typed);
  const folder = dirname(path);
  const [there, parent] = await Promise.all([path, folder].map(async (name) => ifPresent('write', name, stat(name))));
  if (parent === undefined)
    throw new UsageError(`Cannot write to ${JSON.stringify(typed)}: there is no folder ${JSON.stringify(folder)}`, { hint: 'make the folder first' });
  if (there?.isDirectory() === true) {
    throw new UsageError(`Cannot write to ${JSON.stringify(typed)}: expected a file, found a folder`, {
      hint: `name a file in it: -o ${typed.replace(/\/+$/, '')}/blob`,
    });
  }
  // A device would be replaced by a file, which root may do even to /dev/null.
  if (there?.isFile() === false) {
    throw new UsageError(`Cannot write to ${JSON.stringify(typed)}: expected a file, found a device or pipe`, {
      hint: 'leave out -o, and redirect standard output',
    });
  }
  await writeAtomically(path, await new TempFiles(folder, systemProcesses).next(), content, { signal });
}
