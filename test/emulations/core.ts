import { answerBlob } from './blobs.ts';
import { answerList } from './lists.ts';
import { answerManifest } from './manifests.ts';
import { parseRoute, RegistryState } from './state.ts';
import { answerUpload } from './uploads.ts';

/**
 * The registry behind every emulation: distribution's behaviour over blobs and manifests in memory,
 * small enough to be read at once. An emulation puts handlers before it for what its vendor does
 * otherwise.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
export class RegistryCore extends RegistryState {
  /** Answers as distribution would. */
  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === '/v2/')
      return Response.json({}, { headers: { 'docker-distribution-api-version': 'registry/2.0' } });
    const route = parseRoute(url.pathname);
    if (route === undefined)
      return new Response('404 page not found\n', {
        status: 404,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
      });
    switch (route.kind) {
      case 'catalog':
      case 'tags':
      case 'referrers':
        return answerList(this, route, url);
      case 'manifests':
        return answerManifest(this, route, request);
      case 'uploads':
        return answerUpload(this, route, request);
      case 'blobs':
        return answerBlob(this, route, request);
    }
  }
}
