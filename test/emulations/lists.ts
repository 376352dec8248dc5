import type { RegistryState, Route } from './state.ts';
import { referrersOf } from './manifests.ts';

/** Tags, repositories and referrers. */
export function answerList(
  core: RegistryState,
  { kind, repository, reference }: Route,
  url: URL,
): Response {
  if (kind === 'catalog')
    return page(core, url, core.names.toSorted(), (repositories) => ({ repositories }));
  const kept = core.find(repository);
  if (kind === 'referrers') {
    if (core.options.referrers !== true)
      return new Response('404 page not found\n', {
        status: 404,
        headers: { 'content-type': 'text/plain' },
      });
    const body = { schemaVersion: 2, mediaType: INDEX, manifests: referrersOf(kept, reference) };
    return new Response(JSON.stringify(body), { headers: { 'content-type': INDEX } });
  }
  if (kept === undefined)
    return core.refuse(404, 'NAME_UNKNOWN', 'repository name not known to registry');
  const tags = [...kept.tags.keys()];
  return page(
    core,
    url,
    core.options.tagOrder === 'oldest-first' ? tags : tags.toSorted(),
    (shown) => ({ name: repository, tags: shown }),
  );
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

function page(
  core: RegistryState,
  url: URL,
  all: readonly string[],
  bodyOf: (items: readonly string[]) => object,
): Response {
  const asked = Number(url.searchParams.get('n') ?? 100);
  const size = Math.min(asked, core.options.pageSize ?? asked);
  const after = url.searchParams.get('last');
  // A number is a position: Artifactory's and ECR's pages are known by no name.
  const start = after === null ? 0 : all.includes(after) ? all.indexOf(after) + 1 : Number(after);
  const items = all.slice(start, start + size);
  const position = start + items.length;
  const next =
    position < all.length ? { url, last: items.at(-1) ?? '', size, position } : undefined;
  const link = next && (core.options.link ?? relativeLink)(next);
  return Response.json(bodyOf(items), link === undefined ? {} : { headers: { link } });
}

function relativeLink({
  url,
  last,
  size,
}: {
  readonly url: URL;
  readonly last: string;
  readonly size: number;
}): string {
  return `<${url.pathname}?last=${encodeURIComponent(last)}&n=${size}>; rel="next"`;
}
