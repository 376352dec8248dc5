import { expect, test } from 'vitest';

import { describeCloud, layoutOf } from '../cloud-contract.ts';
import { ghcr } from './ghcr.ts';

describeCloud('ghcr', ghcr, ({ served, limit }) => {
  test('chunks are of at most 4 MiB, whatever was asked for', async () => {
    const { layout } = await layoutOf({ layers: [9_000_000], seed: 31 });
    const before = served().seen.length;
    expect(
      await served().regi(['copy', '--chunk-size', '20000000', layout, served().ref('chunked')]),
    ).toMatchObject({ status: 0 });
    const patches = served()
      .seen.slice(before)
      .filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ status }) => status)).toEqual([202, 202, 202]);
    const { stdout } = await served().regi(['doctor', 'ghcr.io']);
    expect(stdout).toMatch(
      /^- chunks .*this registry takes at most 4\.0 MiB in a chunk of an upload$/m,
    );
    limit('A chunk has at most 4 MiB; `--chunk-size` is limited to that.');
  });

  test('B10: a layer that is too large for one request goes in chunks, after one refusal', async () => {
    const { layout } = await layoutOf({ layers: [9_000_000, 9_000_001], seed: 32 });
    expect(
      await served().skopeo(['copy', '--quiet', layout, `docker://${served().ref('by-skopeo')}`]),
    ).toMatchObject({ status: 0 });
    const { layout: other } = await layoutOf({ layers: [9_000_002, 9_000_003], seed: 33 });
    const before = served().seen.length;
    const copied = await served().regi(['copy', other, served().ref('whole')]);
    expect(copied).toMatchObject({ status: 0, sleeps: [] });
    const uploads = served()
      .seen.slice(before)
      .filter(({ method }) => method === 'PUT' || method === 'PATCH');
    expect(uploads.filter(({ status }) => status === 416).length).toBeLessThanOrEqual(2);
    expect(uploads.filter(({ method }) => method === 'PATCH').length).toBeGreaterThanOrEqual(4);
    limit(
      'One request may be refused from 4 MiB on, with status 416. regi then uploads in chunks.',
    );
  });

  test('a way to a web page instead of referrers is not followed', async () => {
    expect(
      served().seen.some(
        ({ status, url }) => status === 303 && url.pathname.includes('/referrers/'),
      ),
    ).toBe(true);
    expect(served().seen.filter(({ url }) => url.hostname === 'github.com')).toEqual([]);
    limit(
      'There is no referrers API. The request is redirected to a web page of github.com, and regi does not follow it.',
    );
  });
});
