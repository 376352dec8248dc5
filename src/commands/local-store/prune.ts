import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { formatBytes } from '../../format.ts';
import { withStores } from '../../targets/open-store.ts';
import { findUnfinished } from '../../targets/unfinished.ts';
import { flag } from '../arguments/arguments.ts';

export interface PruneRow {
  /** Digests of manifests, configs and layers; with `--journal`, names of files and uploads. */
  readonly deleted: readonly string[];
  /** Their total size. */
  readonly bytes: number;
  /** True when nothing was really deleted. */
  readonly dryRun: boolean;
}

/** `regi prune`: removes unused data from the local store. */
export const pruneCommand: CommandBody<PruneRow> = { run: runPrune, text: pruneText };

async function* runPrune(args: ParsedArguments, context: Context): AsyncIterable<PruneRow> {
  const dryRun = flag(args, 'dry-run');
  if (flag(args, 'journal')) {
    yield await discardUnfinished(context, dryRun);
    return;
  }
  yield* withStores(context, {}, async function* (stores) {
    const store = await stores.openLocal('source');
    const { removed, youngBytes } = await store.prune({
      now: context.io.clock.now(),
      dryRun,
      signal: context.signal,
    });
    if (youngBytes > 0)
      context.note(
        `Kept ${formatBytes(youngBytes)} without a name that are younger than ten minutes: another program may be about to name them`,
      );
    const unfinished = await unfinishedBytes(context);
    if (unfinished > 0)
      context.note(
        `Kept ${formatBytes(unfinished)} that interrupted commands can resume; \`regi prune --journal\` discards them`,
      );
    yield {
      deleted: removed.map(({ digest }) => digest),
      bytes: removed.reduce((sum, { size }) => sum + size, 0),
      dryRun,
    };
  });
}

async function unfinishedBytes(context: Context): Promise<number> {
  let bytes = 0;
  for await (const unfinished of findUnfinished(context)) bytes += unfinished.bytes;
  return bytes;
}

/** Discards partial data, and nothing else. */
async function discardUnfinished(context: Context, dryRun: boolean): Promise<PruneRow> {
  const deleted: string[] = [];
  let bytes = 0;
  for await (const unfinished of findUnfinished(context)) {
    context.signal.throwIfAborted();
    if (!dryRun) await unfinished.forget();
    deleted.push(unfinished.name);
    bytes += unfinished.bytes;
  }
  return { deleted, bytes, dryRun };
}

function pruneText({ deleted, bytes, dryRun }: PruneRow, { settings }: Context): string {
  const lines = settings.quiet
    ? []
    : deleted.map((digest) => `${dryRun ? 'Would delete' : 'Deleted'}: ${digest}\n`);
  return `${lines.join('')}Total reclaimed space: ${formatBytes(bytes)}\n`;
}
