import { join, resolve } from 'node:path';

import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { fromRegsync } from '../../sync/doors/regsync.ts';
import { fromSkopeo } from '../../sync/doors/skopeo.ts';
import { FactCache } from '../../sync/state/cache.ts';
import { DeletedLog, parseDeletedLog } from '../../sync/prune/deleted-log.ts';
import { holdFile } from '../../sync/state/hold.ts';
import { LockWriter } from '../../sync/state/locked.ts';
import {
  syncRowJson,
  syncRowText,
  type ConvertedRow,
  type MatrixRow,
  type SyncRow,
} from '../../sync/run/row.ts';
import { runSync } from '../../sync/run/run.ts';
import { PlannedManifests } from '../../sync/state/planned-manifests.ts';
import { textOf, type Shard } from '../../sync/plan/shard.ts';
import { lanesWith, withRegistries } from '../../sync/file/settings.ts';
import { runProgram, type ProgramOptions } from '../../sync/run/programs.ts';
import { undoDeletions } from '../../sync/prune/undo.ts';
import { stateFolder } from '../../targets/local.ts';
import { withStores } from '../../targets/open-store.ts';
import { countOption, flag, value } from '../arguments/arguments.ts';
import { listName, readList } from '../arguments/read-list.ts';
import { matrixOf, parseSyncRequest, workOf, type SyncRequest } from './request.ts';

/** `regi sync`: mirrors the images that a file describes. */
export const syncCommand: CommandBody<ConvertedRow | MatrixRow | SyncRow> = {
  run: runSyncCommand,
  text: syncRowText,
  json: syncRowJson,
};

async function* runSyncCommand(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<ConvertedRow | MatrixRow | SyncRow> {
  refuseCredentials(context);
  const converted = await convert(args, context);
  if (converted !== undefined) {
    yield converted;
    return;
  }
  const undo = value(args, 'undo');
  if (undo !== undefined) {
    yield* runUndo(undo, args, context);
    return;
  }
  const request = await parseSyncRequest(args, context);
  if (flag(args, 'validate')) return;
  if (request.matrix !== undefined) {
    const { matrix } = request;
    const own = withRegistries(context, request.file.registries, request.folder);
    yield* withStores(own, { dryRun: true }, async function* (stores) {
      yield await matrixOf(request, matrix, stores, own);
    });
    return;
  }
  yield* runRequest(
    request,
    args,
    withRegistries(context, request.file.registries, request.folder),
  );
}

const DOORS = { 'from-regsync': fromRegsync, 'from-skopeo': fromSkopeo } as const;

/** Prints the file of another tool in the form of this one. Undefined without such a file. */
async function convert(args: ParsedArguments, context: Context): Promise<ConvertedRow | undefined> {
  const given = (['from-regsync', 'from-skopeo'] as const).flatMap((name) => {
    const path = value(args, name);
    return path === undefined ? [] : [{ name, path }];
  });
  const [first] = given;
  if (first === undefined) return undefined;
  if (given.length > 1 || args.positionals.length > 0)
    throw new UsageError(`Cannot use --${first.name} with another file beside it`, {
      hint: `type: regi sync --${first.name} ${first.path} > mirror.yaml`,
    });
  const text = await readList(first.path, context);
  return { file: await DOORS[first.name](text, listName(first.path)) };
}

async function* runRequest(
  request: SyncRequest,
  args: ParsedArguments,
  context: Context,
): AsyncIterable<SyncRow> {
  const { entries, path, folder, shard } = request;
  const { registries, onChange } = request.file;
  const { io } = context;
  const changes: object[] = [];
  const [dryRun, heads] = [flag(args, 'dry-run'), flag(args, 'heads')];
  const maxDelete = countOption(args, 'max-delete', MOST_DELETIONS);
  const state = resolve(io.cwd, value(args, 'state') ?? join(stateFolder(io), 'sync'));
  const cache = await FactCache.open(state);
  const manifests = new PlannedManifests(state, dryRun);
  const log = new DeletedLog(
    resolve(io.cwd, value(args, 'deleted-log') ?? DeletedLog.pathIn(state, io.clock)),
  );
  const lockPath = value(args, 'write-lock');
  // It keeps a line for each image, which an ordinary run has no use for.
  const lock = lockPath === undefined ? undefined : new LockWriter(entries);
  const release = dryRun ? undefined : await hold(state, path, shard, context);
  try {
    const options = {
      dryRun,
      heads,
      force: flag(args, 'force'),
      needsDigests: lockPath !== undefined,
      failFast: flag(args, 'fail-fast'),
      prune: !flag(args, 'no-prune') && request.locked === undefined,
      maxDelete,
      log,
      absent: request.file.entries.filter((entry) => !entries.includes(entry)),
      cache,
      policies: request.policies,
      policy: request.policy,
      manifests,
      registries,
      folder,
      programsIn: dryRun || flag(args, 'no-run') ? undefined : folder,
      lanes: lanesWith(context, registries),
    };
    const all = flag(args, 'all');
    for await (const row of withStores(context, { dryRun }, async function* (stores) {
      const work = await context.wait('Planning', () => workOf(request, stores, context));
      yield* runSync(work, options, stores, context);
    })) {
      lock?.add(row);
      if (CHANGES.has(row.status)) changes.push(syncRowJson(row));
      if (all || row.status !== 'same') yield row;
    }
    if (lockPath !== undefined) await lock?.write(resolve(io.cwd, lockPath));
  } finally {
    if (onChange !== undefined && changes.length > 0 && !dryRun && !flag(args, 'no-run'))
      await tellChanges(
        onChange,
        { folder, input: `${JSON.stringify({ images: changes })}\n` },
        context,
      );
    if (await log.close())
      context.note(`Deleted tags are recorded: regi sync --undo ${log.path} puts them back`);
    await manifests.close();
    const failure = await cache.close();
    if (failure !== undefined)
      context.warn(`Nothing is remembered for the next run: ${failure.message}`, failure.hint);
    await release?.();
  }
}

/** What `onChange` is run for. */
const CHANGES: ReadonlySet<string> = new Set(['new', 'moved', 'deleted', 'failed']);

/** Its failure is no failure of the run. */
async function tellChanges(
  argv: readonly string[],
  options: ProgramOptions,
  context: Context,
): Promise<void> {
  try {
    if (!context.signal.aborted) await runProgram(argv, options, context);
  } catch (error) {
    if (!(error instanceof RegiError)) throw error;
    context.warn(`The program of "onChange" failed: ${error.message}`, error.hint);
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
  for (const name of NOT_WITH_UNDO)
    if (value(args, name) !== undefined || flag(args, name))
      throw new UsageError(
        `Cannot use --${name} with --undo: the tags of the record are restored as they were`,
        { hint: `type: regi sync --undo ${file}` },
      );
  const deleted = parseDeletedLog(await readList(file, context, LOG_LIMIT_BYTES), listName(file));
  const dryRun = flag(args, 'dry-run');
  yield* withStores(context, { dryRun }, (stores) =>
    undoDeletions(deleted, dryRun, stores, context),
  );
}

/** Flags that choose or judge images, which the record has done already. */
const NOT_WITH_UNDO = [
  'policy',
  'policy-file',
  'trusted-root',
  'locked',
  'write-lock',
  'shard',
  'matrix',
  'validate',
  'force',
  'heads',
];

/** A record has the manifests of each deleted tag. Longer texts do not fit into a string. Bytes. */
const LOG_LIMIT_BYTES = 500 * 1024 * 1024;

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
  shard: Shard | undefined,
  { io, signal, note, warn }: Context,
): Promise<(() => Promise<void>) | undefined> {
  const file = path === '-' ? 'standard input' : resolve(io.cwd, path);
  try {
    return await holdFile(state, file, {
      signal,
      clock: io.clock,
      shard: shard === undefined ? undefined : textOf(shard),
      onWait: note,
    });
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'STORAGE_FAILED') throw error;
    warn(`Two runs of this file are not kept apart: ${error.message}`, error.hint);
    return undefined;
  }
}
