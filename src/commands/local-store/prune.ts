import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { formatBytes } from '../../format.ts';
import { flag } from '../arguments/arguments.ts';
import { withStores } from '../../targets/open-store.ts';

export interface PruneRow {
  /** Manifests, configs and layers; with `--journal` files and uploads. */
  readonly deleted: readonly string[];
  /** Of that content. */
  readonly bytes: number;
  /** Whether it would be deleted only. */
  readonly dryRun: boolean;
}

/** `regi prune`: frees what no name of the local store leads to. */
export const pruneCommand: CommandBody<PruneRow> = {
  run: runPrune,
  text: pruneText,
};

async function* runPrune(args: ParsedArguments, context: Context): AsyncIterable<PruneRow> {
  const dryRun = flag(args, 'dry-run');
  if (flag(args, 'journal')) {
    yield await forget(context, dryRun);
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
        `${formatBytes(youngBytes)} that nothing names are younger than ten minutes and stay: another program may be about to name them`,
      );
    const unfinished = await unfinishedBytes(context);
    if (unfinished > 0)
      context.note(
        `${formatBytes(unfinished)} stay for interrupted commands to go on with; \`regi prune --journal\` forgets them`,
      );
    yield {
      deleted: removed.map(({ digest }) => digest),
      bytes: removed.reduce((sum, { size }) => sum + size, 0),
      dryRun,
    };
  });
}

async function unfinishedBytes(context: Context): Promise<number> {
  const { findUnfinished } = await import('../../targets/forget-unfinished.ts');
  let bytes = 0;
  for await (const unfinished of findUnfinished(context)) bytes += unfinished.bytes;
  return bytes;
}

/** Only what is unfinished: who wants to get rid of that has not asked for anything else to go. */
async function forget(context: Context, dryRun: boolean): Promise<PruneRow> {
  const { findUnfinished } = await import('../../targets/forget-unfinished.ts');
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
