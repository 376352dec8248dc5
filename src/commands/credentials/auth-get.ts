import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { createCredentialChain } from '../../credentials/chain.ts';
import { dockerKey } from '../../credentials/docker/config.ts';
import { IDENTITY_TOKEN_USER } from '../../credentials/credential.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { positional } from '../arguments/arguments.ts';
import { credentialPlaces } from '../../targets/credentials.ts';
import { parseRegistryName } from '../../targets/registry-name.ts';

/** In the words of docker's credential helpers. */
export interface HelperResult {
  readonly ServerURL: string;
  readonly Username: string;
  readonly Secret: string;
}

/** `regi auth get`: a login for another program. */
export const authGetCommand: CommandBody<HelperResult> = {
  run: runAuthGet,
  text: (row) => `${JSON.stringify(row)}\n`,
};

async function* runAuthGet(args: ParsedArguments, context: Context): AsyncIterable<HelperResult> {
  const registry = parseRegistryName(positional(args, 0, 'a registry'));
  if (context.io.stdout.isTTY) {
    throw new UsageError('Cannot print a password on a terminal', {
      hint: `pipe it into the program that needs it: regi auth get ${registry} | PROGRAM`,
    });
  }
  const found = await createCredentialChain(credentialPlaces(context))(
    registry,
    undefined,
    context.signal,
  );
  if (found === undefined)
    throw new RegiError('FAILED', `Cannot find a login for "${registry}"`, {
      hint: `regi login ${registry}`,
    });
  const { credential, origin } = found;
  if (credential.kind === 'registry-token') {
    throw new RegiError(
      'FAILED',
      `Cannot hand over the login for "${registry}": ${origin} has a registry token, for which helpers have no form`,
    );
  }
  const ServerURL = dockerKey(registry);
  if (credential.kind === 'identity-token')
    yield { ServerURL, Username: IDENTITY_TOKEN_USER, Secret: credential.token };
  else yield { ServerURL, Username: credential.username, Secret: credential.password };
}
