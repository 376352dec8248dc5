import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { createCredentialChain } from '../../credentials/chain.ts';
import { IDENTITY_TOKEN_USER } from '../../credentials/credential.ts';
import { dockerKey } from '../../credentials/docker/config.ts';
import { type RankedLogin, listLogins, ONLY } from '../../credentials/logins/list.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { pageStyle } from '../../render/page-style.ts';
import { tableLines, type Column } from '../../render/table.ts';
import { linesText, type Styled } from '../../styled.ts';
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

export interface AuthRow {
  readonly registry: string;
  /** Undefined where the place does not say. */
  readonly username: string | undefined;
  readonly place: string;
  readonly used: boolean;
  readonly reason: string;
  /** A line of the table, with the header before the first one. */
  readonly line: Styled;
}

/** `regi auth list`: lists stored logins, never their secrets. */
export const authListCommand: CommandBody<AuthRow> = {
  run: runAuthList,
  text: ({ line }) => line,
  json: ({ line: _line, ...row }) => row,
};

const COLUMNS: readonly Column[] = [
  { title: 'REGISTRY', role: 'name' },
  { title: 'USER' },
  { title: 'PLACE' },
  { title: 'USED' },
];

async function* runAuthList(_args: ParsedArguments, context: Context): AsyncIterable<AuthRow> {
  const logins = await listLogins(credentialPlaces(context), context.signal);
  if (logins.length === 0)
    context.note('No logins are stored; to store one, type: regi login REGISTRY');
  const lines = tableLines(COLUMNS, logins.map(cellsOf), pageStyle(context));
  for (const [index, { registry, username, origin, used, reason }] of logins.entries()) {
    const line = linesText(lines.slice(index === 0 ? 0 : index + 1, index + 2));
    yield { registry, username, place: origin, used, reason, line };
  }
}

function cellsOf({ registry, username, origin, used, reason }: RankedLogin): readonly string[] {
  const why = used && reason === ONLY ? '' : `: ${reason}`;
  return [registry, username ?? '-', origin, `${used ? 'yes' : 'no'}${why}`];
}
