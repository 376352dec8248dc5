import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestFrom, type Digest } from '../../oci/digest.ts';
import type { Bytes } from '../../store.ts';
import { positional } from '../arguments/arguments.ts';
import { counted, HERE } from '../output/counted-bytes.ts';
import { parseRepositoryLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';

/** A blob as it is now in its repository. */
interface PutBlob {
  /** Of the repository. */
  readonly name: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly outcome: 'copied' | 'unchanged';
}

/** Bytes to put, of known digest. */
interface Input {
  readonly digest: Digest;
  readonly size: number;
  readonly read: () => Bytes;
  readonly close: () => Promise<void>;
}

/** `regi blob put`: a layer, config or other blob from a file. */
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
      const isThere = await store.exists(blob, { signal });
      if (isThere) onEvent({ kind: 'skipped', target: blob, to: store.repository });
      else {
        await store.push(blob, counted(input.read(), blob, { repository: HERE }, context), {
          signal,
        });
        onEvent({ kind: 'copied', target: blob, to: HERE });
      }
      yield {
        name,
        digest: blob.digest,
        size: blob.size,
        outcome: isThere ? 'unchanged' : 'copied',
      };
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

/** Its digest must be known before it is sent, and it may have to be sent again: it waits in a file without a name. */
async function fromStandardInput({ io, signal }: Context): Promise<Input> {
  const [{ fileSpool }, { guarded }] = await Promise.all([
    import('../../server/spool.ts'),
    import('../../disk/errno.ts'),
  ]);
  const folder = io.env['TMPDIR'] ?? tmpdir();
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
