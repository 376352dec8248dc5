import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { parseHost } from '../../option-values.ts';
import { RegistryAnswerError } from '../../registry/errors.ts';
import { positional } from '../arguments/arguments.ts';
import { withStores } from '../../targets/open-store.ts';

export interface RepositoryRow {
  /** Without its registry: `team/app`. */
  readonly repository: string;
  /** As it is written in a reference. */
  readonly name: string;
}

/** A registry that does not tell what it holds. */
export class NoCatalogError extends RegiError {
  constructor(host: string, hint: string, cause?: RegiError) {
    const status = cause instanceof RegistryAnswerError ? ` (status ${cause.status})` : '';
    super(
      'UNSUPPORTED',
      `Cannot list the repositories of "${host}": it keeps no catalog${status}`,
      {
        hint,
        cause,
      },
    );
  }
}

/** `regi repos list`: one repository a line, as pages arrive. */
export const reposListCommand: CommandBody<RepositoryRow> = {
  run: runReposList,
  text: ({ repository }) => `${repository}\n`,
};

async function* runReposList(
  args: ParsedArguments,
  context: Context,
): AsyncIterable<RepositoryRow> {
  const { host, namespace } = parseRegistry(positional(args, 0, 'a registry'));
  if (host === 'docker.io' || host.endsWith('.docker.io')) {
    throw new NoCatalogError(
      host,
      'look on https://hub.docker.com, and list the tags of what you find: regi tags list debian',
    );
  }
  let found = false;
  yield* withStores(context, {}, async function* (stores) {
    for await (const repository of repositoriesOf(
      host,
      (await stores.openRegistry(host)).repositories({ signal: context.signal }),
    )) {
      if (namespace !== '' && repository !== namespace && !repository.startsWith(`${namespace}/`))
        continue;
      found = true;
      yield { repository, name: `${host}/${repository}` };
    }
  });
  if (!found)
    context.note(
      `"${host}${namespace === '' ? '' : `/${namespace}`}" holds no repository that may be seen`,
    );
}

/** A 404 or a refusal is of the catalog here, and of nothing that somebody named. */
async function* repositoriesOf(
  host: string,
  repositories: AsyncIterable<string>,
): AsyncIterable<string> {
  try {
    yield* repositories;
  } catch (error) {
    if (error instanceof RegiError && (error.code === 'NOT_FOUND' || error.code === 'REFUSED')) {
      throw new NoCatalogError(
        host,
        `name a repository and list its tags: regi tags list ${host}/NAME`,
        error,
      );
    }
    throw error;
  }
}

/** `HOST[:PORT][/NAMESPACE]`. @throws {UsageError} on anything else; what may be a password is not quoted. */
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
