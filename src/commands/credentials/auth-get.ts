import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { createCredentialChain } from '../../credentials/chain.ts';
import { dockerKey } from '../../credentials/docker/config.ts';
import { IDENTITY_TOKEN_USER } from '../../credentials/credential.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { credentialPlaces, parseRegistryName } from '../../targets/credentials.ts';
import { positional } from '../arguments/arguments.ts';

/** A login, in the format of docker's credential helpers. */
export interface HelperOutput {
  readonly ServerURL: string;
  readonly Username: string;
  readonly Secret: string;
}

/** `regi auth get`: prints a login for another program. */
export const authGetCommand: CommandBody<HelperOutput> = {
  run: runAuthGet,
  text: (row) => `${JSON.stringify(row)}\n`,
};

async function* runAuthGet(args: ParsedArguments, context: Context): AsyncIterable<HelperOutput> {
  const registry = parseRegistryName(positional(args, 0, 'a registry'));
  if (context.io.stdout.isTTY)
    throw new UsageError('Cannot print a password on a terminal', {
      hint: `pipe it into the program that needs it: regi auth get ${registry} | PROGRAM`,
    });
  const chain = createCredentialChain(credentialPlaces(context));
  const found = await chain(registry, undefined, context.signal);
  if (found === undefined)
    throw new RegiError('FAILED', `Cannot find a login for "${registry}"`, {
      hint: `regi login ${registry}`,
    });
  const { credential, origin } = found;
  if (credential.kind === 'registry-token')
    throw new RegiError(
      'FAILED',
      `Cannot print the login for "${registry}": ${origin} has a registry token, which the helper format cannot hold`,
    );
  const ServerURL = dockerKey(registry);
  if (credential.kind === 'identity-token')
    yield { ServerURL, Username: IDENTITY_TOKEN_USER, Secret: credential.token };
  else yield { ServerURL, Username: credential.username, Secret: credential.password };
}
