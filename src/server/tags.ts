import { canListTags, type Place, type Store } from '../store.ts';
import { isNotFound, RefusedRequestError } from './errors.ts';
import { jsonAnswer, type Answer, type Call } from './exchange.ts';
import { pageOf, type Page } from './pages.ts';

/**
 * Answers the tags of a repository.
 *
 * @param name the repository as the path has it.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export async function listTags(call: Call, { place, store }: { readonly place: Place; readonly store: Store }, name: string): Promise<Answer> {
  if (!canListTags(store)) throw new RefusedRequestError('UNSUPPORTED', 'Cannot list tags: this registry keeps no list of them');
  const page = await tagPage(call, store.listTags({ signal: call.signal }), name);
  if (page.names.length === 0 && !(await hasRepository(place, store.repository, call.signal))) throw unknownName(name);
  return jsonAnswer(200, { name, tags: page.names }, page.headers);
}

async function tagPage(call: Call, tags: AsyncIterable<string>, name: string): Promise<Page> {
  try {
    return await pageOf(tags, call.query, `/v2/${name}/tags/list`);
  } catch (error) {
    throw isNotFound(error) ? unknownName(name) : error;
  }
}

async function hasRepository(place: Place, repository: string, signal: AbortSignal): Promise<boolean> {
  for await (const name of place.repositories({ signal })) if (name === repository) return true;
  return false;
}

function unknownName(name: string): RefusedRequestError {
  return new RefusedRequestError('NAME_UNKNOWN', `Cannot find repository ${JSON.stringify(name)}`, { detail: { name } });
}
