import { expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { makeImage } from '../../support/images/images.ts';
import { describeCloud, seed } from '../cloud-contract.ts';
import { distribution } from './distribution.ts';

describeCloud('distribution', distribution, ({ served, limit }) => {
  test('plain http under a name has to be asked for, and the hint says how', async () => {
    const io = served().io();
    expect(await main(['digest', served().ref('1')], io)).toBe(5);
    expect(io.stderrText()).toContain('--plain-http registry.local:5000');
    limit('Plain http is used only for a host that you name: `--plain-http registry.local:5000`.');
  });

  test('a password over plain http is worth a warning', async () => {
    const { stderr } = await served().regi(['digest', served().ref('1')]);
    expect(stderr).toContain('go over plain http');
  });

  test('tags that come all at once end', async () => {
    const tags = Array.from({ length: 1500 }, (_, index) => `t${(index * 7) % 1500}`);
    seed(served().emulation.core, 'many', tags, makeImage({ seed: 111 }));
    const { stdout, stderr } = await served().regi([
      'tags',
      'list',
      served().ref('1', 'many').replace(/:1$/, ''),
    ]);
    expect(stdout.trim().split('\n')).toHaveLength(1500);
    expect(stderr).not.toContain('further');
    limit('All tags arrive in one unsorted page, whatever page size is requested.');
  });
});
