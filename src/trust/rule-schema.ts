import * as z from 'zod/mini';

const Count = z.int().check(z.minimum(1));

/**
 * One rule of a policy, as people write it: the value of a scope in the file of `--verify`, and of
 * a name under `policies` in the file of `regi sync`.
 */
export const RULE_SCHEMA = z.strictObject({
  key: z.optional(z.string()),
  keys: z.optional(z.array(z.string()).check(z.minLength(1))),
  keyless: z.optional(
    z.strictObject({
      issuer: z.string(),
      identity: z.string(),
      github: z.optional(
        z.strictObject({
          repository: z.optional(z.string()),
          ref: z.optional(z.string()),
          sha: z.optional(z.string()),
          workflow: z.optional(z.string()),
          trigger: z.optional(z.string()),
        }),
      ),
    }),
  ),
  insecureAccept: z.optional(z.literal(true)),
  predicateTypes: z.optional(z.array(z.string())),
  annotations: z.optional(z.record(z.string(), z.string())),
  log: z.optional(z.enum(['none', 'required'])),
  narrowed: z.optional(z.enum(['allow', 'refuse'])),
  signaturesFrom: z.optional(z.string()),
  threshold: z.optional(Count),
});

export type WrittenRule = z.infer<typeof RULE_SCHEMA>;

export const POLICY_SCHEMA = z.strictObject({
  version: z.literal(1),
  scopes: z.record(z.string(), RULE_SCHEMA),
});
