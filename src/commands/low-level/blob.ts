import { createHash } from 'node:crypto';
import { resolve } from 'node:path';

import { verified } from '../../bytes.ts';
import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { guarded } from '../../disk/errno.ts';
import { openLocalFile } from '../../disk/input-file.ts';
import { UsageError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestFrom, type Digest } from '../../oci/digest.ts';
import { fileSpool } from '../../server/spool.ts';
import { canResolveBlobs, type Bytes } from '../../store.ts';
import { tempFolderOf } from '../../targets/image-source.ts';
import { withStores } from '../../targets/open-store.ts';
import type { OpenedStore } from '../../targets/opened-store.ts';
import { parseSourceRepository } from '../../targets/path.ts';
import { locationArgument, positional } from '../arguments/arguments.ts';
import { counted, HERE } from '../output/counted-bytes.ts';
import {
  contentCommand,
  contentPath,
  contentRows,
  type ContentRow,
} from '../output/write-output.ts';

/** `regi blob get`: prints a blob, which is verified on the way. */
export const blobGetCommand = contentCommand(runBlobGet);

async function* runBlobGet(args: ParsedArguments, context: Context): AsyncIterable<ContentRow> {
  const location = await locationArgument(args, 0, 'a blob', context);
  const path = contentPath(args, 'a blob', 'pipe it: regi blob get … | less', context);
  const { signal, onEvent } = context;
  yield* withStores(context, {}, async function* (stores) {
    const opened = await stores.open(location, 'source');
    const blob = await resolveBlob(opened, context);
    const content = verified(opened.store.fetch(blob, { signal }), blob);
    const shown = path === undefined ? content : counted(content, blob, opened.store, context);
    yield* contentRows(shown, blob.digest, path, context);
    if (path !== undefined) onEvent({ kind: 'copied', target: blob, to: HERE });
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

/** A blob in its repository. */
interface PutBlob {
  /** The name of the repository. */
  readonly name: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly outcome: 'copied' | 'unchanged';
}

/** Content to push, with a known digest. */
interface Input {
  readonly digest: Digest;
  readonly size: number;
  readonly read: () => Bytes;
  readonly close: () => Promise<void>;
}

/** `regi blob put`: pushes a layer, config or other blob from a file. */
export const blobPutCommand: CommandBody<PutBlob> = {
  run: runBlobPut,
  text: ({ name, digest }) => `${name}@${digest}\n`,
};

async function* runBlobPut(args: ParsedArguments, context: Context): AsyncIterable<PutBlob> {
  const location = await parseSourceRepository(positional(args, 0, 'a repository'), context.io);
  const path = positional(args, 1, 'a file');
  const { signal, onEvent } = context;
  const input = path === '-' ? await fromStandardInput(context) : await fromFile(path, context);
  try {
    yield* withStores(context, {}, async function* (stores) {
      const { store, name } = await stores.open(location, 'destination');
      const { digest, size } = input;
      const blob: Descriptor = { mediaType: 'application/octet-stream', digest, size };
      const wasPresent = await store.exists(blob, { signal });
      if (wasPresent) onEvent({ kind: 'skipped', target: blob, to: store.repository });
      else {
        const content = counted(input.read(), blob, { repository: HERE }, context);
        await store.push(blob, content, { signal });
        onEvent({ kind: 'copied', target: blob, to: HERE });
      }
      yield { name, digest, size, outcome: wasPresent ? 'unchanged' : 'copied' };
    });
  } finally {
    await input.close();
  }
}

async function fromFile(path: string, { io, signal }: Context): Promise<Input> {
  const { digest, size, read } = await openLocalFile(resolve(io.cwd, path), { signal });
  return { digest, size, read: () => read({ signal }), close: async () => undefined };
}

/**
 * Spools standard input to an unnamed file: its digest comes before its bytes, and a retry reads
 * them again.
 */
async function fromStandardInput(context: Context): Promise<Input> {
  const { io, signal } = context;
  const folder = tempFolderOf(context);
  const file = await guarded('write', folder, fileSpool(folder).create());
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of io.stdin.bytes()) {
      signal.throwIfAborted();
      hash.update(chunk);
      size += chunk.byteLength;
      await guarded('write', folder, file.append(chunk));
    }
    return {
      digest: digestFrom(hash, 'sha256'),
      size,
      read: () => file.read(),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
