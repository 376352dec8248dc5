import { expect, test } from 'vitest';

import { startDesktopSession } from '../../support/cli/desktop-session.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { openTerminal } from '../../support/cli/terminal.ts';

const USER = 'ci';
const PASSWORD = 'correct-horse-canary';
const SHELL = ['sh', '-c', 'PS1="> " exec sh -i'];

describeReal('regi login at a terminal', ['docker-registry', 'tmux'], () => {
  test('prompts, hides the password, and restores the terminal after Ctrl-C', async () => {
    const { host } = await startDockerRegistry({ htpasswd: { user: USER, password: PASSWORD } });
    const terminal = await openTerminal(SHELL);
    await terminal.enter(`regi login ${host}`);
    await terminal.until(/^User name for .+:$/m);
    await terminal.enter(USER);
    await terminal.until(/^Password for .+:/m);
    await terminal.keys('half-a-canary', 'C-c');
    await terminal.until(/Interrupted by SIGINT\n>/);
    // The terminal shows again what is typed.
    await terminal.enter("echo st''atus $?");
    await terminal.until(/echo st''atus \$\?\nstatus 130\n/);

    await terminal.enter(`clear; regi login -u ${USER} ${host}`);
    await terminal.until(/^Password for .+:/m);
    await terminal.enter(PASSWORD);
    await terminal.until(/Login Succeeded/);
    expect(await terminal.screen()).not.toContain('canary');
  });
});

describeReal(
  'regi and a locked keyring at a terminal',
  ['docker-registry', 'dbus-daemon', 'gnome-keyring-daemon', 'secret-tool', 'tmux'],
  () => {
    test('says that it waits for the keyring, and Ctrl-C ends the wait', async () => {
      const { host } = await startDockerRegistry({ htpasswd: { user: USER, password: PASSWORD } });
      const home = temporaryFolder('home');
      const unlocked = await startDesktopSession({ home, keyring: 'unlocked' });
      expect(
        await runRegi(['login', '-u', USER, '--password-stdin', host], {
          env: unlocked.env,
          input: PASSWORD,
        }),
      ).toMatchObject({ status: 0 });
      await unlocked.stop();
      const { env } = await startDesktopSession({ home, keyring: 'locked', prompt: 'hangs' });
      const { PATH: _, ...session } = env;
      const terminal = await openTerminal(SHELL, { env: session });
      await terminal.enter(`regi digest ${host}/app:1`);
      await terminal.until(
        /Waiting for the keyring: type its password into the window that it opened \(up to 60 s\)/,
      );
      await terminal.keys('C-c');
      await terminal.until(/Interrupted by SIGINT\n>/);
    });
  },
);
