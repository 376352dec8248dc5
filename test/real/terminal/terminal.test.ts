import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { openTerminal } from '../../support/cli/terminal.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describeReal('the terminal of the tests', ['tmux'], () => {
  test('D23: until() waits for a new prompt, not for one that stood on the screen before', async () => {
    const cwd = temporaryFolder('prompts');
    const terminal = await openTerminal(['sh', '-c', 'PS1="> " exec sh -i'], { cwd });
    await terminal.enter("echo pass''word:");
    await terminal.until(/^password:$/m);
    await terminal.enter("sleep 0.5; touch asked; echo pass''word:");
    await terminal.until(/^password:$/m);
    expect(existsSync(join(cwd, 'asked'))).toBe(true);
  });
});
