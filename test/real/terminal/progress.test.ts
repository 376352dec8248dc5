import { beforeAll, expect, test } from 'vitest';

import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { makeImage } from '../../support/images/images.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { realClock } from '../../support/clock.ts';
import { startServe, type Served } from '../../support/registries/serve.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { openTerminal, type Terminal } from '../../support/cli/terminal.ts';

const MIB = 1024 * 1024;
const TOTAL = /^\d+ of 13 blobs\b/m;

describeReal('the live view, at a terminal', ['tmux', 'bash'], () => {
  let served: Served;
  let folder: string;

  beforeAll(async () => {
    served = await startServe(['--memory']);
    folder = temporaryFolder('layout');
    const image = makeImage({ layers: Array.from({ length: 12 }, () => MIB) });
    await image.pushAll(await openLayout(folder, { create: true, clock: realClock }), '1');
  });

  async function copyAt(columns: number, rows: number, name: string): Promise<Terminal> {
    const terminal = await openTerminal(['bash', '--noprofile', '--norc'], {
      columns,
      rows,
      env: { PS1: '> ' },
    });
    await terminal.enter(`regi copy --limit-rate 200K oci:${folder}:1 ${served.host}/${name}:1`);
    await terminal.until(TOTAL);
    return terminal;
  }

  test('shows a line for each blob that moves, and a total, in 100 columns and in 40', async () => {
    const wide = await copyAt(100, 24, 'wide');
    const screen = await wide.until(/B\/s.*\n.*of 13 blobs · .* left$/m);
    expect(screen).toMatch(/^sha256:[0-9a-f]{12} ━*─* +\d+% +\S+ \S+ \/ 1\.0 MiB +\S+ \S+B\/s$/m);
    const narrow = await copyAt(40, 24, 'narrow');
    for (const line of (await narrow.until(/%.*\n.*of 13 blobs/)).split('\n'))
      expect(line.length).toBeLessThanOrEqual(40);
  });

  test('is one view after the terminal was made narrower, lower and wider again', async () => {
    const terminal = await copyAt(100, 24, 'resized');
    for (const [columns, rows, pattern] of [
      [40, 24, /^\d+ of 13 blobs(?: · \S+ \S+){0,2} left$/m],
      [40, 5, TOTAL],
      [100, 24, /MiB of .* left$/m],
    ] as const) {
      await terminal.resize(columns, rows);
      const screen = await terminal.until(pattern);
      expect(screen.slice(screen.search(TOTAL)).match(/of 13 blobs/g)?.length).toBeGreaterThan(0);
    }
    // A look may fall between two halves of a frame; a view that was left behind stays.
    await expect
      .poll(() => terminal.visible())
      .toMatch(/^(?:(?!of 13 blobs)[\s\S])*of 13 blobs(?:(?!of 13 blobs)[\s\S])*$/);
  });

  test('leaves a clean terminal after Ctrl-C', async () => {
    const terminal = await copyAt(80, 24, 'interrupted');
    await terminal.keys('C-c');
    const screen = await terminal.until(/Interrupted by SIGINT\n> $|Interrupted by SIGINT\n>$/m);
    expect(screen).not.toMatch(/of 13 blobs|━|─/);
    await terminal.enter('echo "status $?"');
    await terminal.until(/^status 130$/m);
  });
});
