import { verified } from '../../bytes.ts';
import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { UsageError } from '../../errors.ts';
import { canResolveBlobs } from '../../store.ts';
import { withStores } from '../../targets/open-store.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';
import { locationArgument, value } from '../arguments/arguments.ts';
import { counted, HERE } from '../output/counted-bytes.ts';
import { writeOutput } from '../output/write-output.ts';

/** A piece of the blob, valid until the next one is requested; or the file that was written. */
export type BlobRow =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly file: BlobFile };

export interface BlobFile {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** As typed. */
  readonly path: string;
}

/** `regi blob get`: prints a blob, which is verified on the way. */
export const blobGetCommand: CommandBody<BlobRow> = {
  run: runBlobGet,
  text: (row) => (row.kind === 'bytes' ? row.bytes : ''),
  json: (row) => (row.kind === 'file' ? row.file : undefined),
};

async function* runBlobGet(args: ParsedArguments, context: Context): AsyncIterable<BlobRow> {
  const location = locationArgument(args, 0, 'a blob');
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
    await writeOutput(path, counted(content, blob, opened.store, context), context);
    context.onEvent({ kind: 'copied', target: blob, to: HERE });
    yield { kind: 'file', file: { digest: blob.digest, size: blob.size, path } };
  });
}

async function resolveBlob(
  { store, pinned, name }: OpenedStore,
  { signal }: Context,
): Promise<Descriptor> {
  if (pinned === undefined)
    throw new UsageError(`Cannot get a blob of "${name}": expected a digest after it`, {
      hint: `type: regi blob get ${name}@sha256:…; regi manifest get shows the digests`,
    });
  if (!canResolveBlobs(store))
    throw new UsageError(`Cannot find single blobs in "${name}"`, {
      hint: 'copy the image into a layout first: regi copy SRC oci:DIR',
    });
  return store.resolveBlob(pinned, { signal });
}

function refuseOutput({ io, settings }: Context): void {
  if (settings.json)
    throw new UsageError('Cannot show a blob as JSON', {
      hint: 'add -o FILE, or drop --json',
    });
  if (io.stdout.isTTY)
    throw new UsageError('Cannot show a blob on a terminal: its bytes may be anything', {
      hint: 'add -o FILE, or pipe it: regi blob get … | less',
    });
}
