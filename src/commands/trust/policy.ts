import { dirname, resolve } from 'node:path';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { parsePolicy, policyForAll, type TrustPolicy } from '../../trust/policy.ts';
import { parseSigningKey } from '../../trust/signing-key.ts';
import { flag, value } from '../arguments/arguments.ts';

const POLICY_LIMIT_BYTES = 1024 * 1024;

/**
 * Reads the policy of `--verify` or `--key`, with its keys. Call it before the first request.
 *
 * @returns undefined where neither is given.
 * @throws {UsageError} for both, and beside `--referrers`; {RegiError} INVALID_CONFIG for a mistake in the policy or a key.
 */
export async function readPolicy(
  args: ParsedArguments,
  context: Context,
): Promise<TrustPolicy | undefined> {
  const file = value(args, 'verify');
  const key = value(args, 'key');
  if (file === undefined && key === undefined) return undefined;
  if (file !== undefined && key !== undefined)
    throw new UsageError('Cannot use --key together with --verify: expected one of them', {
      hint: 'write the key into the policy',
    });
  if (flag(args, 'referrers'))
    throw new UsageError(
      `Cannot use --referrers with --${file === undefined ? 'key' : 'verify'}: other referrers than signatures cannot be verified`,
      { hint: 'drop --referrers: signatures are copied without it' },
    );
  const { cwd } = context.io;
  if (file !== undefined) {
    const path = resolve(cwd, file);
    return parsePolicy(await readText(path, file), {
      name: file,
      readKey: filesIn(dirname(path)),
    });
  }
  const name = key ?? '';
  return policyForAll({
    kind: 'key',
    keys: [parseSigningKey(await readText(resolve(cwd, name), name), name)],
    threshold: 1,
    log: 'none',
    predicateTypes: [],
    annotations: {},
    narrowed: 'refuse',
    signaturesFrom: undefined,
  });
}

/** Returns a reader of the files that a policy names, relative to its folder. */
export function filesIn(folder: string): (name: string) => Promise<string> {
  return async (name) => readText(resolve(folder, name), name);
}

async function readText(path: string, shown: string): Promise<string> {
  const bytes = await readRegular(path, POLICY_LIMIT_BYTES);
  if (bytes !== undefined) return Buffer.from(bytes).toString('utf8');
  throw new RegiError('INVALID_CONFIG', `Cannot find ${quote(shown)}: there is no such file`, {
    hint: 'name the file by its path from the policy, or from here',
  });
}
