import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { runOrThrow } from '../../support/programs/run-program.ts';
import { startServe, type Served } from '../../support/registries/serve.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { openTerminal, pathWithRegi, type Terminal } from '../../support/cli/terminal.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

const SHELLS = {
  bash: {
    start: ['bash', '--noprofile', '--norc'],
    setUp: ['PS1="> "', 'source <(regi completion bash)'],
  },
  zsh: {
    start: ['zsh', '-f'],
    setUp: ['PS1="> "', 'autoload -U compinit; compinit -u', 'source <(regi completion zsh)'],
  },
  fish: {
    start: ['fish', '--private'],
    setUp: ['function fish_prompt; echo "> "; end', 'regi completion fish | source'],
  },
} as const;

describeReal('completion in real shells, at a terminal', ['bash', 'zsh', 'fish', 'tmux'], () => {
  let served: Served;
  let cwd: string;

  beforeAll(async () => {
    served = await startServe(['--memory']);
    const pushed = tinyLayout();
    for (const tag of ['1.4', '1.5', 'latest'])
      await runRegi(['push', pushed, `${served.host}/team/app:${tag}`]);
    cwd = temporaryFolder('cwd');
    mkdirSync(join(cwd, 'images'));
    writeFileSync(join(cwd, 'images.txt'), '');
  });

  describe.each(['bash', 'zsh', 'fish'] as const)('%s', (shell) => {
    async function open(): Promise<Terminal> {
      const terminal = await openTerminal(SHELLS[shell].start, { cwd });
      for (const line of SHELLS[shell].setUp) await terminal.enter(line);
      // In two pieces, so that the typed line does not match as output.
      await terminal.enter("echo set''up");
      await terminal.until(/^setup\n>/m);
      return terminal;
    }

    /**
     * A registry gets two seconds, which a busy machine may not give it: then nothing comes, and a
     * person presses Tab again.
     */
    async function tabTo(terminal: Terminal, pattern: RegExp): Promise<void> {
      for (let tries = 0; tries < 5; tries += 1) {
        await terminal.keys('Tab');
        const found = await terminal.until(pattern, 20_000).catch(() => undefined);
        if (found !== undefined) return;
      }
      throw new Error(`Expected ${String(pattern)}, found\n${await terminal.screen()}`);
    }

    test('completes a command, and a flag of it', async () => {
      const terminal = await open();
      await terminal.keys('regi insp', 'Tab');
      await terminal.until(/^> regi inspect\b/m);
      await terminal.keys('--plat', 'Tab');
      await terminal.until(/^> regi inspect\s+--platform\b/m);
    });

    test('lists the commands with a prefix, with their summaries', async () => {
      const terminal = await open();
      await terminal.keys('regi tag', 'Tab', 'Tab');
      const screen = await terminal.until(/\btags\b/);
      expect(screen).toMatch(shell === 'bash' ? /tag\s+tags/ : /Add a name to an image/);
    });

    test('completes a repository of a registry, and then its tag, over the colons of both', async () => {
      const terminal = await open();
      await terminal.keys(`regi digest ${served.host}/te`);
      await tabTo(terminal, new RegExp(`^> regi digest ${served.host}/team/app:`, 'm'));
      await terminal.keys('la');
      await tabTo(terminal, new RegExp(`^> regi digest ${served.host}/team/app:latest`, 'm'));
    });

    test('completes a kind of place', async () => {
      const terminal = await open();
      await terminal.keys('regi inspect arch', 'Tab');
      await terminal.until(/^> regi inspect archive:$/m);
    });

    test('completes a path behind it', async () => {
      const terminal = await open();
      await terminal.keys('regi inspect oci:imag', 'Tab');
      // A folder and a file begin alike.
      await terminal.until(/^> regi inspect oci:images/m);
    });
  });

  test('bash 3 and 5 get the words of a line with flags in it', async () => {
    const script = `source <(regi completion bash); COMP_LINE='regi --json copy --progress=pl'; COMP_POINT=\${#COMP_LINE}; _regi; printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect(
      await runOrThrow(requireTool('bash'), ['--norc', '-c', script], {
        env: { PATH: pathWithRegi(), HOME: temporaryFolder('home') },
      }),
    ).toBe('plain\n');
  });
});
