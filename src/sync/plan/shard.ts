import { createHash } from 'node:crypto';

import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { repositoryKey } from '../file/names.ts';

/** One of `count` disjoint parts of a file. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** GitHub's limit for a matrix, and more than one registry stands. */
export const MOST_SHARDS = 256;

/** Variables by which an engine numbers its jobs. */
interface Family {
  readonly engine: string;
  readonly index: string;
  readonly count: string;
  readonly from: 0 | 1;
}

const OWN: Family = { engine: 'regi', index: 'REGI_SHARD', count: 'REGI_SHARDS', from: 1 };

const FAMILIES: readonly Family[] = [
  { engine: 'Kubernetes', index: 'JOB_COMPLETION_INDEX', count: 'REGI_SHARDS', from: 0 },
  { engine: 'GitLab', index: 'CI_NODE_INDEX', count: 'CI_NODE_TOTAL', from: 1 },
  { engine: 'CircleCI', index: 'CIRCLE_NODE_INDEX', count: 'CIRCLE_NODE_TOTAL', from: 0 },
  {
    engine: 'Buildkite',
    index: 'BUILDKITE_PARALLEL_JOB',
    count: 'BUILDKITE_PARALLEL_JOB_COUNT',
    from: 0,
  },
  { engine: 'Cloud Run', index: 'CLOUD_RUN_TASK_INDEX', count: 'CLOUD_RUN_TASK_COUNT', from: 0 },
  {
    engine: 'AWS Batch',
    index: 'AWS_BATCH_JOB_ARRAY_INDEX',
    count: 'AWS_BATCH_JOB_ARRAY_SIZE',
    from: 0,
  },
];

/**
 * Returns the part that a destination repository belongs to, from 1. It depends on the name alone.
 */
export function shardOf(name: string, count: number): number {
  const hash = createHash('sha256').update(repositoryKey(name)).digest();
  // 48 bits: an exact number, and far more than any count.
  return (hash.readUIntBE(0, 6) % count) + 1;
}

/**
 * Parses `--shard`: `2/4`, or `auto` for what the engine says in variables.
 *
 * @returns the part, and for `auto` the sentence that names its origin.
 * @throws {UsageError} on any other text, and where variables are missing, malformed or disagree.
 */
export function parseShard(
  text: string,
  env: Env,
): { readonly shard: Shard; readonly origin: string | undefined } {
  if (text === 'auto') return shardOfEngine(env);
  const { index, count } = /^(?<index>\d{1,4})\/(?<count>\d{1,4})$/.exec(text)?.groups ?? {};
  const shard = { index: Number(index), count: Number(count) };
  if (index !== undefined && isShard(shard)) return { shard, origin: undefined };
  throw new UsageError(
    `Cannot use ${quote(text)} for "--shard": expected i/n with 1 <= i <= n <= ${MOST_SHARDS}, or auto`,
    { hint: 'type --shard 1/4, for example' },
  );
}

function isShard({ index, count }: Shard): boolean {
  return index >= 1 && index <= count && count <= MOST_SHARDS;
}

function shardOfEngine(env: Env): { readonly shard: Shard; readonly origin: string } {
  if (has(env, OWN.index)) {
    const shard = readFamily(OWN, env);
    return { shard, origin: originOf(OWN, shard) };
  }
  const found = FAMILIES.flatMap((family) => {
    // Outside of `parallel`, GitLab sets a total of 1 and no index.
    if (family.engine === 'GitLab' && !has(env, family.index) && env[family.count] === '1')
      return [{ family, shard: { index: 1, count: 1 } }];
    return has(env, family.index) ? [{ family, shard: readFamily(family, env) }] : [];
  });
  const [first] = found;
  if (first === undefined) throw noVariables(env);
  const other = found.find(
    ({ shard }) => shard.index !== first.shard.index || shard.count !== first.shard.count,
  );
  if (other !== undefined)
    throw new UsageError(
      `Cannot choose a shard: ${first.family.engine} says ${textOf(first.shard)}, ${other.family.engine} says ${textOf(other.shard)}`,
      { hint: 'type --shard i/n, or set REGI_SHARD and REGI_SHARDS' },
    );
  return { shard: first.shard, origin: originOf(first.family, first.shard) };
}

function readFamily({ engine, index, count, from }: Family, env: Env): Shard {
  if (!has(env, count))
    throw new UsageError(
      `Cannot choose a shard: ${engine} sets ${index}, and ${count} is not set`,
      { hint: `set ${count} to the number of shards` },
    );
  const numbers = [env[index], env[count]].map((text) =>
    /^\d{1,4}$/.test(text ?? '') ? Number(text) : Number.NaN,
  );
  const shard = { index: (numbers[0] ?? Number.NaN) + 1 - from, count: numbers[1] ?? Number.NaN };
  if (isShard(shard)) return shard;
  throw new UsageError(
    `Cannot choose a shard: expected ${index} from ${from} and ${count} up to ${MOST_SHARDS}, found ${quote(env[index] ?? '')} and ${quote(env[count] ?? '')}`,
    { hint: 'type --shard i/n instead' },
  );
}

function noVariables(env: Env): UsageError {
  if (has(env, 'SLURM_ARRAY_TASK_ID'))
    return new UsageError(
      'Cannot choose a shard: the variables of Slurm do not hold the total of an array that is run again in part',
      { hint: 'type --shard "$SLURM_ARRAY_TASK_ID/N" with --array=1-N' },
    );
  const names = FAMILIES.map(({ index }) => index).join(', ');
  return new UsageError(
    `Cannot choose a shard: expected REGI_SHARD and REGI_SHARDS, or one of ${names}`,
    { hint: 'type --shard i/n, such as --shard 1/4' },
  );
}

function originOf({ index, count }: Family, shard: Shard): string {
  return `Shard ${textOf(shard)}, from ${index} and ${count}`;
}

export function textOf({ index, count }: Shard): string {
  return `${index}/${count}`;
}

function has(env: Env, name: string): boolean {
  return (env[name] ?? '') !== '';
}
