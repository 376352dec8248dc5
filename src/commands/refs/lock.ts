import { resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { replaceFile } from '../../disk/atomic-write.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatReference } from '../../oci/reference.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { quote } from '../../quote.ts';
import type { CallOptions, Source } from '../../store.ts';
import { formatLock, formatLockLine, type LockLine } from '../../targets/lock-file.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { someFailedError } from '../arguments/each-argument.ts';
import { flag, value } from '../arguments/arguments.ts';
import { askEach, namedReferences, reportFailed, type NamedReference } from './references.ts';

/** One image of the lock. */
export interface LockRow {
  readonly reference: string;
  readonly digest: string;
  readonly bytes?: number | undefined;
  readonly platforms?: string | undefined;
  /** Printed unless the lock goes to a file. */
  readonly line: string;
}

/** `regi refs lock`: pins the images that files name to their digests of now. */
export const refsLockCommand: CommandBody<LockRow> = {
  run: runLock,
  text: ({ line }) => line,
  json: ({ reference, digest, bytes, platforms }) => ({ reference, digest, bytes, platforms }),
};

const LOCK_LIMIT_BYTES = 64 * 1024 * 1024;
const COMMENT = 'regi refs lock: regi copy --from LOCK PREFIX copies exactly these images';

async function* runLock(args: ParsedArguments, context: Context): AsyncIterable<LockRow> {
  const output = value(args, 'output');
  const frozen = flag(args, 'frozen');
  if (frozen && output === undefined) {
    throw new UsageError('Cannot use --frozen alone: it compares with the lock of --output', {
      hint: 'name the lock: regi refs lock --frozen -o images.lock PATH',
    });
  }
  const images = await namedReferences(args, context);
  const sizes = flag(args, 'sizes');
  const lines: LockLine[] = [];
  const failures: RegiError[] = [];
  yield* withStores(context, {}, async function* (stores) {
    const outcomes = askEach(images, context.signal, async (image, signal) =>
      lockLine(image, stores, sizes, { signal }),
    );
    for await (const outcome of outcomes) {
      if (outcome.kind === 'failed') {
        failures.push(outcome.error);
        reportFailed(outcome, context);
        continue;
      }
      lines.push(outcome.value);
      if (!frozen) yield rowOf(outcome.value, output === undefined);
    }
  });
  // A lock that lacks images would be taken for the whole.
  if (failures.length > 0) {
    throw someFailedError(failures, images.length, 'no lock is complete without them');
  }
  if (output === undefined) return;
  const text = formatLock(lines, COMMENT);
  const path = resolve(context.io.cwd, output);
  if (frozen) await compare(text, path, output);
  else {
    await replaceFile(path, Buffer.from(text), { signal: context.signal });
    context.note(`Wrote ${formatCount(lines.length, 'image')} to ${output}`);
  }
}

async function lockLine(
  { reference }: NamedReference,
  stores: Stores,
  sizes: boolean,
  options: CallOptions,
): Promise<LockLine> {
  const opened = await stores.open({ kind: 'registry', reference }, 'source');
  const root = await opened.store.resolve(opened.reference, options);
  const values = sizes ? await measure(opened.store, root, options) : {};
  return { source: { ...reference, digest: root.digest }, values };
}

/** Reads manifests alone. Blobs that platforms share count once. */
async function measure(
  source: Source,
  root: Descriptor,
  options: CallOptions,
): Promise<{ readonly bytes: number; readonly platforms?: string }> {
  const sizes = new Map<string, number>();
  const platforms: string[] = [];
  const add = async (node: Descriptor): Promise<void> => {
    if (sizes.has(node.digest)) return;
    sizes.set(node.digest, node.size);
    const { manifest } = await readManifest(source, node, options);
    if (manifest.kind === 'image') {
      for (const blob of [manifest.config, ...manifest.layers]) sizes.set(blob.digest, blob.size);
      return;
    }
    for (const entry of manifest.manifests) {
      if (entry.platform !== undefined && entry.platform.os !== 'unknown') {
        platforms.push(formatPlatform(entry.platform));
      }
      await add(entry);
    }
  };
  await add(root);
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { bytes, ...(platforms.length > 0 && { platforms: platforms.toSorted().join(',') }) };
}

function rowOf(line: LockLine, isPrinted: boolean): LockRow {
  const { source, values } = line;
  return {
    reference: formatReference({ ...source, digest: undefined }),
    digest: source.digest ?? '',
    bytes: typeof values['bytes'] === 'number' ? values['bytes'] : undefined,
    platforms: typeof values['platforms'] === 'string' ? values['platforms'] : undefined,
    line: isPrinted ? `${formatLockLine(line)}\n` : '',
  };
}

async function compare(text: string, path: string, shown: string): Promise<void> {
  const bytes = await readRegular(path, LOCK_LIMIT_BYTES);
  if (bytes === undefined) {
    throw new RegiError('NOT_FOUND', `Cannot find the lock ${quote(shown)}`, {
      hint: `write it first: regi refs lock -o ${shown} PATH`,
    });
  }
  const imagesOf = (lock: string): readonly string[] =>
    lock
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ', 1)[0] ?? '');
  const before = new Set(imagesOf(Buffer.from(bytes).toString('utf8')));
  const now = new Set(imagesOf(text));
  const added = [...now].filter((image) => !before.has(image));
  const gone = [...before].filter((image) => !now.has(image));
  if (added.length === 0 && gone.length === 0) return;
  const facts = [...gone.map((image) => `- ${image}`), ...added.map((image) => `+ ${image}`)];
  throw new RegiError(
    'CONTENT_MISMATCH',
    `Cannot accept the lock ${quote(shown)}: ${formatCount(facts.length, 'line')} moved: ${facts.join(', ')}`,
    {
      hint: 'look at the change, and write the lock anew without --frozen',
      details: { added, gone },
    },
  );
}
