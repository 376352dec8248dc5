import { createHash } from 'node:crypto';
import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestFrom, type Digest } from '../../oci/digest.ts';
import type { Bytes } from '../../store.ts';
import { tempFolderOf } from '../../targets/image-source.ts';
import { parseRepositoryLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import { positional } from '../arguments/arguments.ts';
import { counted, HERE } from '../output/counted-bytes.ts';

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
  const location = parseRepositoryLocation(positional(args, 0, 'a repository'));
  const path = positional(args, 1, 'a file');
  const { signal, onEvent } = context;
  const input = path === '-' ? await fromStandardInput(context) : await fromFile(path, context);
  try {
    yield* withStores(context, {}, async function* (stores) {
      const { store, name } = await stores.open(location, 'destination');
      const blob: Descriptor = {
        mediaType: 'application/octet-stream',
        digest: input.digest,
        size: input.size,
      };
      const wasPresent = await store.exists(blob, { signal });
      if (wasPresent) onEvent({ kind: 'skipped', target: blob, to: store.repository });
      else {
        const content = counted(input.read(), blob, { repository: HERE }, context);
        await store.push(blob, content, { signal });
        onEvent({ kind: 'copied', target: blob, to: HERE });
      }
      const { digest, size } = input;
      yield { name, digest, size, outcome: wasPresent ? 'unchanged' : 'copied' };
    });
  } finally {
    await input.close();
  }
}

async function fromFile(path: string, { io, signal }: Context): Promise<Input> {
  const { openLocalFile } = await import('../../disk/input-file.ts');
  const { digest, size, read } = await openLocalFile(resolve(io.cwd, path), { signal });
  return { digest, size, read: () => read({ signal }), close: async () => undefined };
}

/** Spools standard input to an unnamed file: its digest comes before its bytes, and a retry reads them again. */
async function fromStandardInput(context: Context): Promise<Input> {
  const { io, signal } = context;
  const [{ fileSpool }, { guarded }] = await Promise.all([
    import('../../server/spool.ts'),
    import('../../disk/errno.ts'),
  ]);
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
