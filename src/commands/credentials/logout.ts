import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { type RankedLogin, listLogins } from '../../credentials/logins/list.ts';
import { isRemovable, removeLogin } from '../../credentials/logins/remove.ts';
import { credentialPlaces, parseRegistryName } from '../../targets/credentials.ts';
import { flag } from '../arguments/arguments.ts';

export interface LogoutRow {
  readonly registry: string;
  readonly username: string | undefined;
  /** The place of the removed login; undefined when there was none. */
  readonly removedFrom: string | undefined;
}

/** `regi logout`: removes stored logins. */
export const logoutCommand: CommandBody<LogoutRow> = {
  run: runLogout,
  text: ({ registry, removedFrom }) =>
    removedFrom === undefined
      ? `Not logged in to ${registry}\n`
      : `Removed the login for ${registry} from ${removedFrom}\n`,
};

async function* runLogout(args: ParsedArguments, context: Context): AsyncIterable<LogoutRow> {
  const places = credentialPlaces(context);
  const all = flag(args, 'all');
  const named = args.positionals[0];
  const known = await listLogins(places, context.signal);
  const isMeant = meantBy(named, all);
  const meant = known.filter(isMeant);
  const removable = meant.filter(isRemovable);
  const chosen = all ? removable : removable.toSorted(usedFirst).slice(0, 1);
  for (const login of chosen) {
    await removeLogin(login, places, context.signal);
    yield { registry: login.registry, username: login.username, removedFrom: login.origin };
  }
  if (meant.length === 0)
    yield {
      registry: named === undefined && all ? 'any registry' : parseRegistryName(named),
      username: undefined,
      removedFrom: undefined,
    };
  warnOfRemaining(
    meant.filter((login) => !chosen.includes(login)),
    context,
  );
}

/**
 * Matches the logins to remove. A login for a namespace matches only when it is named, or with
 * `--all`.
 */
function meantBy(named: string | undefined, all: boolean): (login: RankedLogin) => boolean {
  if (named === undefined && all) return () => true;
  const registry = parseRegistryName(named);
  return (login) => login.registry === registry || login.registry === named;
}

function usedFirst(one: RankedLogin, other: RankedLogin): number {
  return Number(other.used) - Number(one.used);
}

function warnOfRemaining(remaining: readonly RankedLogin[], { warn }: Context): void {
  for (const { registry, origin, place } of remaining) {
    const hint =
      place.kind === 'variable'
        ? `unset ${place.names.join(' ')}`
        : `to remove it too: regi logout --all ${registry}`;
    warn(`Another login for "${registry}" remains in ${origin}`, hint);
  }
}
