import { dirname, resolve } from 'node:path';

import picomatch from 'picomatch';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import type { SyncEntry, SyncFile } from '../../sync/file/entry.ts';
import { parseSyncFile } from '../../sync/file/file.ts';
import { lockedRoutes, shareByBytes, type LockedRoute } from '../../sync/state/locked.ts';
import { Catalogs } from '../../sync/plan/catalog.ts';
import { findOrphans } from '../../sync/plan/orphans.ts';
import { expandEntries, type SyncWork } from '../../sync/plan/routes.ts';
import type { MatrixRow } from '../../sync/run/row.ts';
import { MOST_SHARDS, parseShard, shardOf, type Shard } from '../../sync/plan/shard.ts';
import type { Stores } from '../../targets/opened-store.ts';
import type { TrustPolicy, TrustRule } from '../../trust/policy.ts';
import { countOption, flag, positional, value } from '../arguments/arguments.ts';
import { listName, readList } from '../arguments/read-list.ts';
import { filesIn, readPolicy, readTrustedRoot } from '../trust/policy.ts';

/** The work of one `regi sync`, with every argument and both files parsed. */
export interface SyncRequest {
  /** The file as typed. */
  readonly path: string;
  /** Relative paths in the file begin here. */
  readonly folder: string;
  readonly file: SyncFile;
  /** Those that run now. */
  readonly entries: readonly SyncEntry[];
  /** Rules by the name that entries call them. */
  readonly policies: ReadonlyMap<string, TrustRule>;
  /** The policy of the command line, for all images. */
  readonly policy: TrustPolicy | undefined;
  readonly shard: Shard | undefined;
  readonly matrix: number | undefined;
  readonly locked: readonly LockedRoute[] | undefined;
}

/** @throws {RegiError} INVALID_CONFIG at a mistake in the file, USAGE at one in the arguments. */
export async function parseSyncRequest(
  args: ParsedArguments,
  context: Context,
): Promise<SyncRequest> {
  const { io } = context;
  const path = positional(args, 0, 'a file', 'type: regi sync mirror.yaml; - is standard input');
  if (flag(args, 'heads') && !flag(args, 'dry-run'))
    throw new UsageError('Cannot use --heads alone: expected --dry-run beside it', {
      hint: 'type: regi sync --dry-run --heads FILE',
    });
  const lockPath = value(args, 'locked');
  if (lockPath !== undefined && value(args, 'write-lock') !== undefined)
    throw new UsageError('Cannot use --locked together with --write-lock', {
      hint: 'write the lock in one run, and use it in others',
    });
  const matrix = countOption(args, 'matrix', MOST_SHARDS);
  const typed = value(args, 'shard');
  if (matrix !== undefined && typed !== undefined)
    throw new UsageError('Cannot use --matrix together with --shard', {
      hint: 'print the matrix in one job, and give each of its shards to another',
    });
  const chosen = typed === undefined ? undefined : parseShard(typed, io.env);
  const file = await parseSyncFile(await readList(path, context), {
    name: path === '-' ? listName(path) : path,
    env: io.env,
    host: io.host,
  });
  const folder = path === '-' ? io.cwd : dirname(resolve(io.cwd, path));
  const root = await readTrustedRoot(args, context);
  const policies = await file.readPolicies(filesIn(folder), root);
  const asksTools = ['policy', 'policy-file'].some((name) => value(args, name) !== undefined);
  const policy = asksTools ? await readPolicy(args, context) : undefined;
  const isRootUsed = [...policies.values()].some((rule) => 'root' in rule && rule.root === root);
  if (root !== undefined && !isRootUsed)
    throw new UsageError('Cannot use --trusted-root: no policy of the file needs one', {
      hint: 'write a rule with "keyless", or with "log: required", below "policies"',
    });
  const entries = chosenEntries(file, args.positionals.slice(1));
  if (value(args, 'write-lock') !== undefined) refuseFiles(entries);
  const locked =
    lockPath === undefined
      ? undefined
      : lockedRoutes(await readList(lockPath, context), listName(lockPath), file.entries, folder);
  if (chosen?.origin !== undefined) context.note(chosen.origin);
  const own = entries.find(({ verify }) => verify !== undefined);
  if (policy !== undefined && own !== undefined)
    throw new UsageError(
      `Cannot use --policy: entry ${quote(own.name)} has a rule of its own with "verify"`,
      { hint: 'name the other entries behind the file, or drop --policy' },
    );
  return { path, folder, file, entries, policies, policy, shard: chosen?.shard, matrix, locked };
}

/** Lists what is to be done, for this shard. Wildcards ask for catalogs, and a lock for nothing. */
export async function workOf(
  { file, entries, shard, locked, folder }: SyncRequest,
  stores: Stores,
  { signal, warn }: Context,
): Promise<SyncWork> {
  if (locked !== undefined) {
    const routes = locked.filter(({ entry }) => entries.includes(entry));
    return { routes: shard === undefined ? routes : shareByBytes(routes, shard), unlisted: [] };
  }
  const catalogs = new Catalogs(stores, { signal });
  const listed = await expandEntries(entries, stores, catalogs, { signal, folder, warn });
  const orphans = await findOrphans(file.entries, listed.routes, catalogs);
  const work = { ...listed, orphans };
  if (shard === undefined) return work;
  return {
    ...work,
    orphans: orphans.filter((name) => shardOf(name, shard.count) === shard.index),
    routes: work.routes.filter(({ name }) => shardOf(name, shard.count) === shard.index),
  };
}

/** @throws the first failure of a list: its repositories would be missing from the matrix. */
export async function matrixOf(
  request: SyncRequest,
  count: number,
  stores: Stores,
  context: Context,
): Promise<MatrixRow> {
  const { routes, unlisted } = await workOf(request, stores, context);
  const [failed] = unlisted;
  if (failed !== undefined) throw failed.error;
  const used = new Set(routes.map(({ name }) => shardOf(name, count)));
  const indexes = Array.from({ length: count }, (_, at) => at + 1).filter((index) =>
    request.locked === undefined
      ? used.has(index)
      : shareByBytes(request.locked, { index, count }).length > 0,
  );
  return { include: indexes.map((index) => ({ shard: `${index}/${count}` })) };
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

/** The images of a file cannot be had again by their digests, once the file is another one. */
function refuseFiles(entries: readonly SyncEntry[]): void {
  const entry = entries.find(({ from }) => from.kind === 'place');
  if (entry?.from.kind !== 'place') return;
  throw new UsageError(
    `Cannot lock entry ${quote(entry.name)}: expected a registry as its source, found ${quote(entry.from.text)}`,
    { hint: 'name the other entries behind the file' },
  );
}
