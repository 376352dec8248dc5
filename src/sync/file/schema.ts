import * as z from 'zod/mini';

import { RULE_SCHEMA } from '../../trust/rule-schema.ts';

const Text = z.string();
const Texts = z.array(z.string());
const Count = z.int().check(z.minimum(1));
const Program = z.array(z.string()).check(z.minLength(1));

const Latest = z.union([
  Count,
  z.strictObject({ count: Count, sort: z.optional(z.enum(['created', 'name', 'semver'])) }),
]);

const Prune = z.union([
  z.boolean(),
  z.strictObject({
    gone: z.optional(z.boolean()),
    old: z.optional(z.boolean()),
    keep: z.optional(Texts),
    viaDummy: z.optional(z.boolean()),
  }),
]);

/** Fields that `defaults` may hold too. */
const SHARED = {
  tags: z.optional(Texts),
  latest: z.optional(Latest),
  min: z.optional(Count),
  immutable: z.optional(Texts),
  moved: z.optional(z.enum(['follow', 'keep', 'fail'])),
  prune: z.optional(Prune),
  repositories: z.optional(Texts),
  minRepositories: z.optional(Count),
  rename: z.optional(z.strictObject({ match: Text, to: Text })),
  platforms: z.optional(Texts),
  requirePlatforms: z.optional(z.boolean()),
  sparse: z.optional(z.boolean()),
  referrers: z.optional(z.union([z.literal(false), z.enum(['new', 'always'])])),
  verify: z.optional(Text),
  since: z.optional(Text),
  writeList: z.optional(Text),
};

const Registry = z.strictObject({
  keepPulls: z.optional(z.int().check(z.minimum(0))),
  concurrency: z.optional(Count),
  credentials: z.optional(Text),
  caFile: z.optional(Text),
  plainHttp: z.optional(z.boolean()),
  tlsSkipVerify: z.optional(z.boolean()),
  createRepository: z.optional(Program),
  deleteTag: z.optional(Program),
});

/** The file of `regi sync`, as people write it. docs/sync.schema.json is made of it. */
export const SYNC_SCHEMA = z.strictObject({
  version: z.literal(1),
  registries: z.optional(z.record(z.string(), Registry)),
  defaults: z.optional(z.strictObject(SHARED)),
  images: z
    .array(
      z.strictObject({
        name: z.optional(Text),
        from: Text,
        to: z.union([Text, z.array(z.string()).check(z.minLength(1))]),
        ...SHARED,
      }),
    )
    .check(z.minLength(1)),
  policies: z.optional(z.record(z.string(), RULE_SCHEMA)),
  onChange: z.optional(Program),
});

export type WrittenFile = z.infer<typeof SYNC_SCHEMA>;
export type WrittenEntry = WrittenFile['images'][number];
export type RegistrySettings = z.infer<typeof Registry>;
