import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';
import { describeReal, isPrivileged, requireTool } from '../../support/programs/real-tools.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { ROOT } from '../../support/root.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** No user has this number. */
const STRANGER = ['--reuid', '54321', '--regid', '54321', '--clear-groups'];

describeReal('a home folder', ['docker-registry', 'skopeo', 'setpriv'], () => {
  let host: string;
  let other: string;
  let program: string;
  beforeAll(async () => {
    ({ host } = await startDockerRegistry());
    other = (await startDockerRegistry()).host;
    await skopeo.copy(tinyLayout(), `docker://${host}/app:1`);
    // Another user cannot read the work tree everywhere.
    program = temporaryFolder('program');
    for (const name of ['bin', 'dist', 'package.json'])
      cpSync(join(ROOT, name), join(program, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(program, 'node_modules'));
    chmodSync(program, 0o755);
  });

  function runAsStranger(
    bin: 'regi' | 'docker-credential-regi',
    args: readonly string[],
    { home, input }: { readonly home?: string | undefined; readonly input?: string } = {},
  ): Promise<Finished> {
    const cwd = temporaryFolder('cwd');
    chmodSync(cwd, 0o777);
    // Settings in the working directory would be used if an absent home meant an empty path.
    mkdirSync(join(cwd, '.docker'));
    writeFileSync(join(cwd, '.docker/config.json'), 'no JSON');
    return runProgram(
      requireTool('setpriv'),
      [...STRANGER, process.execPath, join(program, 'bin', `${bin}.js`), ...args],
      { env: { PATH: '/usr/bin:/bin', ...(home !== undefined && { HOME: home }) }, cwd, input },
    );
  }

  test.runIf(isPrivileged).each([undefined, ''])(
    'C1: regi works for a user without a passwd entry whose HOME is %j',
    async (home) => {
      const copied = await runAsStranger(
        'regi',
        ['copy', '-q', `${host}/app:1`, `${other}/other:1`],
        { home },
      );
      expect(copied).toMatchObject({ status: 0, stderr: '' });
      expect(copied.stdout).toMatch(/\/other:?1?@sha256:/);
      const listed = await runAsStranger('regi', ['images'], { home });
      expect(listed.status).toBe(0);
      const pulled = await runAsStranger('regi', ['pull', '-q', `${host}/app:1`], { home });
      expect(pulled.status).toBe(1);
      expect(pulled.stderr).toContain('there is no home folder');
      expect(pulled.stderr).toContain('set HOME to a folder of yours');
    },
  );

  test.runIf(isPrivileged)(
    'C1: docker-credential-regi answers a user without a passwd entry',
    async () => {
      expect(
        await runAsStranger('docker-credential-regi', ['get'], { input: 'registry.example\n' }),
      ).toMatchObject({ status: 1, stdout: 'credentials not found in native keychain\n' });
    },
  );

  test.runIf(isPrivileged).each(['', '.docker', '.config/regi'])(
    'C9: regi warns once when "~/%s" of another user cannot be read',
    async (name) => {
      const home = temporaryFolder('home');
      chmodSync(home, 0o755);
      mkdirSync(join(home, name), { recursive: true });
      chmodSync(join(home, name), 0o700);
      const result = await runAsStranger('regi', ['digest', `${host}/app:1`], { home });
      expect(result).toMatchObject({ status: 0 });
      expect(result.stderr.match(/in the home of another user/g)).toHaveLength(1);
    },
  );
});
