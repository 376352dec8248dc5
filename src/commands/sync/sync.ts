import { join, resolve } from 'node:path';

import picomatch from 'picomatch';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { FactCache } from '../../sync/cache.ts';
import { DeletedLog, parseDeletedLog } from '../../sync/deleted-log.ts';
import type { SyncEntry, SyncFile } from '../../sync/entry.ts';
import { parseSyncFile } from '../../sync/file.ts';
import { holdFile } from '../../sync/hold.ts';
import { syncRowJson, syncRowText, type SyncRow } from '../../sync/row.ts';
import { runSync } from '../../sync/run.ts';
import { undoDeletions } from '../../sync/undo.ts';
import { stateFolder } from '../../targets/local.ts';
import { withStores } from '../../targets/open-store.ts';
import { countOption, flag, positional, value } from '../arguments/arguments.ts';
import { lanesOf } from '../../targets/host-lanes.ts';
import { listName, readList } from '../arguments/read-list.ts';

/** `regi sync`: makes destinations equal to what a file describes. */
export const syncCommand: CommandBody<SyncRow> = {
  run: runSyncCommand,
  text: syncRowText,
  json: syncRowJson,
};

async function* runSyncCommand(args: ParsedArguments, context: Context): AsyncIterable<SyncRow> {
  refuseCredentials(context);
  const undo = value(args, 'undo');
  if (undo !== undefined) {
    yield* runUndo(undo, args, context);
    return;
  }
  const path = positional(args, 0, 'a file', 'type: regi sync mirror.yaml; - is standard input');
  const [dryRun, heads] = [flag(args, 'dry-run'), flag(args, 'heads')];
  if (heads && !dryRun)
    throw new UsageError('Cannot use --heads alone: expected --dry-run beside it', {
      hint: 'type: regi sync --dry-run --heads FILE',
    });
  const { io } = context;
  const text = await readList(path, context);
  const file = await parseSyncFile(text, {
    name: path === '-' ? listName(path) : path,
    env: io.env,
    host: io.host,
  });
  refuseUnbuilt(file);
  const entries = chosenEntries(file, args.positionals.slice(1));
  if (flag(args, 'validate')) return;
  const maxDelete = countOption(args, 'max-delete', MOST_DELETIONS);
  const state = resolve(io.cwd, value(args, 'state') ?? join(stateFolder(io), 'sync'));
  const cache = await FactCache.open(state);
  const log = new DeletedLog(
    resolve(io.cwd, value(args, 'deleted-log') ?? DeletedLog.pathIn(state, io.clock)),
  );
  const release = dryRun ? undefined : await hold(state, path, context);
  try {
    const options = {
      dryRun,
      heads,
      force: flag(args, 'force'),
      failFast: flag(args, 'fail-fast'),
      prune: !flag(args, 'no-prune'),
      maxDelete,
      log,
      absent: file.entries.filter((entry) => !entries.includes(entry)),
      cache,
      lanes: lanesOf(context),
    };
    const all = flag(args, 'all');
    for await (const row of withStores(context, { dryRun }, (stores) =>
      runSync(entries, options, stores, context),
    ))
      if (all || row.status !== 'same') yield row;
  } finally {
    if (await log.close())
      context.note(`Deleted tags are recorded: regi sync --undo ${log.path} puts them back`);
    const failure = await cache.close();
    if (failure !== undefined)
      context.warn(`Nothing is remembered for the next run: ${failure.message}`, failure.hint);
    await release?.();
  }
}

async function* runUndo(
  file: string,
  args: ParsedArguments,
  context: Context,
): AsyncIterable<SyncRow> {
  if (args.positionals.length > 0)
    throw new UsageError('Cannot use --undo with a file of entries beside it', {
      hint: `type: regi sync --undo ${file}`,
    });
  const deleted = parseDeletedLog(await readList(file, context), listName(file));
  const dryRun = flag(args, 'dry-run');
  yield* withStores(context, { dryRun }, (stores) =>
    undoDeletions(deleted, dryRun, stores, context),
  );
}

/** More in one repository is a mistake in the flag. */
const MOST_DELETIONS = 1_000_000;

/** They would go to every registry of the file. */
function refuseCredentials({ settings }: Context): void {
  if (settings.sourceCredentials === undefined && settings.destinationCredentials === undefined)
    return;
  throw new UsageError(
    'Cannot use --src-creds or --dest-creds: they would be sent to every registry of the file',
    { hint: "log in with regi login, or write credentials below the file's registries" },
  );
}

async function hold(
  state: string,
  path: string,
  { io, signal, note, warn }: Context,
): Promise<(() => Promise<void>) | undefined> {
  const file = path === '-' ? 'standard input' : resolve(io.cwd, path);
  try {
    return await holdFile(state, file, { signal, clock: io.clock, shard: undefined, onWait: note });
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'STORAGE_FAILED') throw error;
    warn(`Two runs of this file are not kept apart: ${error.message}`, error.hint);
    return undefined;
  }
}

/** Returns the entries that the command line names; all without names. */
function chosenEntries({ entries }: SyncFile, names: readonly string[]): readonly SyncEntry[] {
  if (names.length === 0) return entries;
  const chosen = new Set<SyncEntry>();
  for (const name of names) {
    const matches = picomatch(name, { dot: true, nonegate: true });
    const found = entries.filter((entry) => entry.name === name || matches(entry.name));
    if (found.length === 0)
      throw new UsageError(`Cannot find entry ${quote(name)} in the file`, {
        hint: `its entries are ${entries.map((entry) => quote(entry.name)).join(', ')}`,
      });
    for (const entry of found) chosen.add(entry);
  }
  return entries.filter((entry) => chosen.has(entry));
}

/** A field that nothing obeys yet is refused: ignoring a policy, or a deletion, would be worse. */
function refuseUnbuilt({ entries, registries, policies, onChange }: SyncFile): void {
  const field =
    (Object.keys(policies).length > 0 && 'policies') ||
    (registries.size > 0 && 'registries') ||
    (onChange !== undefined && 'onChange') ||
    (entries.some(({ verify }) => verify !== undefined) && 'verify') ||
    (entries.some(({ since }) => since !== undefined) && 'since') ||
    (entries.some(({ writeList }) => writeList !== undefined) && 'writeList');
  if (field === false) return;
  throw new RegiError('INVALID_CONFIG', `Cannot use "${field}": this version does not support it`, {
    hint: 'remove it from the file',
  });
}
