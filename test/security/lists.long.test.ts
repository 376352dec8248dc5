import { expect, test } from 'vitest';

import { runMain } from '../support/cli/run-main.ts';
import { startListing } from '../support/registries/listing.ts';

test('lst-link-loop: tags list gives up after 10,000 pages when every page has something new', async () => {
  const { host, asked } = await startListing((url) => {
    const page = Number(url.searchParams.get('last') ?? 0) + 1;
    return { body: `{"tags":["t${page}"]}`, link: `</v2/app/tags/list?last=${page}>; rel="next"` };
  });
  const { status } = await runMain(['tags', 'list', `${host}/app`]);
  expect({ status, asked: asked() }).toEqual({ status: 7, asked: 10_000 });
});
