import { dirname, resolve } from 'node:path';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { errnoOf } from '../../disk/errno.ts';
import { readLocalFile } from '../../disk/input-file.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import {
  parseTrustedRoot,
  publicGoodRoot,
  type TrustedRoot,
} from '../../trust/keyless/trusted-root.ts';
import { isSomebody, parsePolicy, policyForAll, type TrustPolicy } from '../../trust/policy.ts';
import { parseSigningKey } from '../../trust/signing-key.ts';
import { flag, value } from '../arguments/arguments.ts';

const POLICY_LIMIT_BYTES = 1024 * 1024;

/**
 * Reads the policy of `--verify`, `--key`, `--policy`, or `--identity` with `--issuer`, with its
 * keys and trusted root. Call it before the first request.
 *
 * @returns undefined where none is given.
 * @throws {UsageError} for several of them, a half one, and beside `--referrers`; {RegiError}
 *   INVALID_CONFIG for a mistake in a file.
 */
export async function readPolicy(
  args: ParsedArguments,
  context: Context,
): Promise<TrustPolicy | undefined> {
  const [file, key, identity, issuer] = ['verify', 'key', 'identity', 'issuer'].map((name) =>
    value(args, name),
  );
  if ((identity === undefined) !== (issuer === undefined))
    throw new UsageError(
      `Cannot use --${identity === undefined ? 'issuer' : 'identity'} alone: expected both --identity and --issuer`,
      { hint: 'an identity means nothing without the service that vouches for it' },
    );
  const tools = value(args, 'policy');
  if (tools === undefined && value(args, 'policy-file') !== undefined)
    throw new UsageError('Cannot use --policy-file alone: expected --policy containers beside it');
  const given = [file, key, identity, tools].filter((way) => way !== undefined).length;
  if (given > 1)
    throw new UsageError(
      'Cannot use --verify, --key, --identity and --policy together: expected one',
      {
        hint: 'write the rules into the file of --verify',
      },
    );
  if (value(args, 'trusted-root') !== undefined && file === undefined && identity === undefined)
    throw new UsageError('Cannot use --trusted-root without --verify or --identity', {
      hint: 'signatures of a key alone need no trusted root',
    });
  if (given === 0) return undefined;
  if (flag(args, 'referrers'))
    throw new UsageError(
      'Cannot use --referrers with a policy: other referrers than signatures cannot be verified',
      { hint: 'drop --referrers: signatures are copied without it' },
    );
  if (tools !== undefined) {
    const { readContainersPolicy } = await import('./containers.ts');
    return readContainersPolicy(args, context);
  }
  const { cwd } = context.io;
  const root = await readTrustedRoot(args, context);
  if (file !== undefined) {
    const path = resolve(cwd, file);
    const readKey = filesIn(dirname(path));
    return parsePolicy(await readText(path, file), { name: file, readKey, root });
  }
  const common = {
    predicateTypes: [],
    annotations: {},
    narrowed: 'refuse',
    signaturesFrom: undefined,
  } as const;
  if (key !== undefined)
    return policyForAll({
      kind: 'key',
      keys: [parseSigningKey(await readText(resolve(cwd, key), key), key)],
      threshold: 1,
      log: 'none',
      ...common,
    });
  const who = { identity: identity ?? '', issuer: issuer ?? '' };
  for (const [name, text] of Object.entries(who)) {
    if (isSomebody(text)) continue;
    throw new UsageError(`Cannot use ${quote(text)} for "--${name}": it would accept anybody`, {
      hint: 'regi verify --signatures shows who signed an image',
    });
  }
  return policyForAll({
    kind: 'keyless',
    ...who,
    github: {},
    root: root ?? (await publicGoodRoot()),
    ...common,
  });
}

/** Reads the file of `--trusted-root`; undefined without it. */
export async function readTrustedRoot(
  args: ParsedArguments,
  { io }: Context,
): Promise<TrustedRoot | undefined> {
  const file = value(args, 'trusted-root');
  if (file === undefined) return undefined;
  return parseTrustedRoot(Buffer.from(await readText(resolve(io.cwd, file), file)), file);
}

/** Returns a reader of the files that a policy names, relative to its folder. */
export function filesIn(folder: string): (name: string) => Promise<string> {
  return async (name) => readText(resolve(folder, name), name);
}

async function readText(path: string, shown: string): Promise<string> {
  try {
    return Buffer.from(await readLocalFile(path, POLICY_LIMIT_BYTES)).toString('utf8');
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw cause;
    throw new RegiError('INVALID_CONFIG', `Cannot find ${quote(shown)}: there is no such file`, {
      hint: 'name the file by its path from the policy, or from here',
      cause,
    });
  }
}
