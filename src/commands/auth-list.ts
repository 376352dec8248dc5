import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import type { RankedLogin } from '../credentials/known-login.ts';
import { listLogins } from '../credentials/list-logins.ts';
import { credentialPlaces } from './credential-places.ts';

export interface AuthRow {
  readonly registry: string;
  /** Undefined where the place does not tell. */
  readonly username: string | undefined;
  readonly place: string;
  readonly used: boolean;
  readonly reason: string;
  /** The line of the table, and above the first the head of it. */
  readonly line: string;
}

/** `regi auth list`: which logins there are, never their secrets. */
export const authListCommand: CommandBody<AuthRow> = {
  run: runAuthList,
  text: ({ line }) => line,
  json: ({ line: _line, ...row }) => row,
};

const HEAD = ['REGISTRY', 'USER', 'PLACE', 'USED'] as const;

async function* runAuthList(_args: ParsedArguments, context: Context): AsyncIterable<AuthRow> {
  const logins = await listLogins(credentialPlaces(context), context.signal);
  if (logins.length === 0) context.note('No logins are stored; to store one, type: regi login REGISTRY');
  const table = [HEAD, ...logins.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  const lines = table.map(
    (cells) =>
      `${cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd()}\n`,
  );
  for (const [index, { registry, username, origin, used, reason }] of logins.entries()) {
    const line = `${index === 0 ? (lines[0] ?? '') : ''}${lines[index + 1] ?? ''}`;
    yield { registry, username, place: origin, used, reason, line };
  }
}

function cellsOf({ registry, username, origin, used, reason }: RankedLogin): readonly string[] {
  return [registry, username ?? '-', origin, used ? 'yes' : `no: ${reason}`];
}
