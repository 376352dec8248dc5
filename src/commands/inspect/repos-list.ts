import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { parseHost } from '../../option-values.ts';
import { RegistryResponseError } from '../../registry/errors.ts';
import { positional } from '../arguments/arguments.ts';
import { withStores } from '../../targets/open-store.ts';

export interface RepositoryRow {
  /** Without its registry: `team/app`. */
  readonly repository: string;
  /** As it is written in a reference. */
  readonly name: string;
}

/** `regi repos list`: prints one repository a line, as pages arrive. */
export const reposListCommand: CommandBody<RepositoryRow> = {
  run: runReposList,
  text: ({ repository }) => `${repository}\n`,
};

async function* runReposList(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<RepositoryRow> {
  const { host, namespace } = parseRegistry(positional(args, 0, 'a registry'));
  if (host === 'docker.io' || host.endsWith('.docker.io'))
    throw noCatalog(
      host,
      'search https://hub.docker.com, and list the tags of a repository: regi tags list debian',
    );
  let found = false;
  yield* withStores(context, {}, async function* (stores) {
    const place = await stores.openRegistry(host);
    const repositories = place.repositories({ signal: context.signal, whole: true });
    for await (const repository of repositoriesOf(host, repositories)) {
      if (namespace !== '' && repository !== namespace && !repository.startsWith(`${namespace}/`))
        continue;
      found = true;
      yield { repository, name: `${host}/${repository}` };
    }
  });
  if (!found)
    context.note(
      `"${host}${namespace === '' ? '' : `/${namespace}`}" holds no repository that this login may see`,
    );
}

/** Reports a 404 or a refusal as a missing catalog, because the user named no repository. */
async function* repositoriesOf(
  host: string,
  repositories: AsyncIterable<string>,
): AsyncIterable<string> {
  try {
    yield* repositories;
  } catch (error) {
    if (error instanceof RegiError && (error.code === 'NOT_FOUND' || error.code === 'REFUSED'))
      throw noCatalog(
        host,
        `name a repository and list its tags: regi tags list ${host}/NAME`,
        error,
      );
    throw error;
  }
}

function noCatalog(host: string, hint: string, cause?: RegiError): RegiError {
  const status = cause instanceof RegistryResponseError ? ` (status ${cause.status})` : '';
  return new RegiError(
    'UNSUPPORTED',
    `Cannot list the repositories of "${host}": it keeps no catalog${status}`,
    { hint, cause },
  );
}

/**
 * Parses `HOST[:PORT][/NAMESPACE]`. @throws {UsageError} on anything else, without quoting a
 * password.
 */
function parseRegistry(text: string): { host: string; namespace: string } {
  const bare = text.replace(/^[a-z]+:\/\//i, '').replace(/^.*@|[?#].*$/gs, '');
  if (bare !== text) {
    throw new UsageError(
      'Cannot list repositories: expected a registry without scheme, user name and password',
      { hint: `type: regi repos list ${bare}` },
    );
  }
  const slash = text.indexOf('/');
  return {
    host: parseHost('REGISTRY', slash < 0 ? text : text.slice(0, slash)),
    namespace: slash < 0 ? '' : text.slice(slash + 1).replace(/\/+$/, ''),
  };
}
