import type { Place } from '../store.ts';
import { jsonAnswer, type Answer, type Call } from './exchange.ts';
import { pageOf } from './pages.ts';

/**
 * Answers the repositories of the place. Not of the OCI specification, but what every client knows.
 *
 * @see https://distribution.github.io/distribution/spec/api/#listing-repositories
 */
export async function listRepositories(call: Call, place: Place): Promise<Answer> {
  const page = await pageOf(place.repositories({ signal: call.signal }), call.query, '/v2/_catalog');
  return jsonAnswer(200, { repositories: page.names }, page.headers);
}
