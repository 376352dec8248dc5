import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { type RankedLogin, listLogins, ONLY } from '../../credentials/logins/list.ts';
import { tableLines } from '../../render/text.ts';
import { credentialPlaces } from '../../targets/credentials.ts';

export interface AuthRow {
  readonly registry: string;
  /** Undefined where the place does not say. */
  readonly username: string | undefined;
  readonly place: string;
  readonly used: boolean;
  readonly reason: string;
  /** A line of the table, with the header before the first one. */
  readonly line: string;
}

/** `regi auth list`: lists stored logins, never their secrets. */
export const authListCommand: CommandBody<AuthRow> = {
  run: runAuthList,
  text: ({ line }) => line,
  json: ({ line: _line, ...row }) => row,
};

const HEAD = ['REGISTRY', 'USER', 'PLACE', 'USED'] as const;

async function* runAuthList(_args: ParsedArguments, context: Context): AsyncIterable<AuthRow> {
  const logins = await listLogins(credentialPlaces(context), context.signal);
  if (logins.length === 0)
    context.note('No logins are stored; to store one, type: regi login REGISTRY');
  const lines = tableLines([HEAD, ...logins.map(cellsOf)]);
  for (const [index, { registry, username, origin, used, reason }] of logins.entries()) {
    const line = `${index === 0 ? (lines[0] ?? '') : ''}${lines[index + 1] ?? ''}`;
    yield { registry, username, place: origin, used, reason, line };
  }
}

function cellsOf({ registry, username, origin, used, reason }: RankedLogin): readonly string[] {
  const why = used && reason === ONLY ? '' : `: ${reason}`;
  return [registry, username ?? '-', origin, `${used ? 'yes' : 'no'}${why}`];
}
