import { describe, expect, test } from 'vitest';

import { parseShard, shardOf } from '../../src/sync/plan/shard.ts';

describe('shardOf()', () => {
  test('splits into disjoint parts whose union is everything, and adds names without moving others', () => {
    const names = Array.from({ length: 500 }, (_, at) => `r.test/team/app-${at}`);
    for (let count = 1; count <= 16; count += 1) {
      const parts = Array.from({ length: count }, (_, at) =>
        names.filter((name) => shardOf(name, count) === at + 1),
      );
      expect(parts.flat().toSorted()).toEqual(names.toSorted());
      expect(parts.every((part) => part.length > 0)).toBe(true);
    }
  });
});

describe('parseShard()', () => {
  const auto = (env: Record<string, string>): string => {
    const { shard } = parseShard('auto', env);
    return `${shard.index}/${shard.count}`;
  };

  test.each([
    [{ REGI_SHARD: '2', REGI_SHARDS: '4' }, '2/4'],
    [{ JOB_COMPLETION_INDEX: '0', REGI_SHARDS: '4' }, '1/4'],
    [{ JOB_COMPLETION_INDEX: '3', REGI_SHARDS: '4' }, '4/4'],
    [{ CI_NODE_INDEX: '1', CI_NODE_TOTAL: '4' }, '1/4'],
    [{ CI_NODE_TOTAL: '1' }, '1/1'],
    [{ CIRCLE_NODE_INDEX: '0', CIRCLE_NODE_TOTAL: '3' }, '1/3'],
    [{ BUILDKITE_PARALLEL_JOB: '2', BUILDKITE_PARALLEL_JOB_COUNT: '3' }, '3/3'],
    [{ CLOUD_RUN_TASK_INDEX: '1', CLOUD_RUN_TASK_COUNT: '2', CLOUD_RUN_TASK_ATTEMPT: '1' }, '2/2'],
    [
      { AWS_BATCH_JOB_ARRAY_INDEX: '0', AWS_BATCH_JOB_ARRAY_SIZE: '2', AWS_BATCH_JOB_ATTEMPT: '2' },
      '1/2',
    ],
    [
      { CI_NODE_INDEX: '2', CI_NODE_TOTAL: '2', CIRCLE_NODE_INDEX: '1', CIRCLE_NODE_TOTAL: '2' },
      '2/2',
    ],
  ])('takes %j for %s', (env, shard) => {
    expect(auto(env)).toBe(shard);
  });

  test.each([
    [{}, 'expected REGI_SHARD and REGI_SHARDS'],
    [{ JOB_COMPLETION_INDEX: '0' }, 'REGI_SHARDS is not set'],
    [{ REGI_SHARD: '0', REGI_SHARDS: '4' }, 'from 1'],
    [{ REGI_SHARD: '5', REGI_SHARDS: '4' }, 'found "5" and "4"'],
    [{ SLURM_ARRAY_TASK_ID: '1', SLURM_ARRAY_TASK_COUNT: '4' }, 'variables of Slurm'],
    [
      { CI_NODE_INDEX: '1', CI_NODE_TOTAL: '2', CIRCLE_NODE_INDEX: '1', CIRCLE_NODE_TOTAL: '2' },
      'GitLab says 1/2, CircleCI says 2/2',
    ],
  ])('refuses %j', (env, message) => {
    expect(() => auto(env)).toThrow(message);
  });

  test.each(['0/4', '5/4', '1/0', 'x', '1/257', '-1/4', '1/4/2'])('refuses %s', (text) => {
    expect(() => parseShard(text, {})).toThrow('--shard');
  });
});
