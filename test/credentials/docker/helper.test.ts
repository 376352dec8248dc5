import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import {
  askHelper,
  createHelperRunner,
  CredentialHelperError,
  type RunHelper,
  storeWithHelper,
} from '../../../src/credentials/docker/helper.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

async function helper(script: string, timeoutMs?: number): Promise<RunHelper> {
  const folder = temporaryFolder();
  await writeFile(join(folder, 'docker-credential-fake'), `#!/bin/sh\n${script}\n`, {
    mode: 0o755,
  });
  return createHelperRunner({ PATH: `${folder}:/usr/bin:/bin` }, timeoutMs);
}

describe('askHelper()', () => {
  test.each([
    ['{}', undefined],
    ['{"username":"u","SECRET":"s"}', { username: 'u', secret: 's' }],
  ])('C6: askHelper() reads %s as docker does', async (output, login) => {
    expect(await askHelper('fake', 'a', await helper(`echo '${output}'`))).toEqual(login);
  });

  test('writes the key to standard input and reads the output', async () => {
    const run = await helper(
      `[ "$1" = get ] || exit 9; read key; printf '{"ServerURL":"%s","Username":"%s","Secret":"s"}' "$key" "$key"`,
    );
    expect(await askHelper('fake', 'registry.example:5000', run)).toEqual({
      username: 'registry.example:5000',
      secret: 's',
    });
  });

  test('returns undefined when the helper has no login', async () => {
    expect(
      await askHelper(
        'fake',
        'a',
        await helper(`echo 'credentials not found in native keychain'; exit 1`),
      ),
    ).toBeUndefined();
  });

  test('works with a helper that does not read its input', async () => {
    expect(
      await askHelper(
        'fake',
        'x'.repeat(1_000_000),
        await helper(`exec <&-; echo '{"Username":"u","Secret":"s"}'`),
      ),
    ).toEqual({
      username: 'u',
      secret: 's',
    });
  });

  test('shows the output of a failing helper without control characters', async () => {
    const error = askHelper(
      'fake',
      'a',
      await helper(`printf 'keychain \\033[2Jlocked\\n'; exit 1`),
    );
    await expect(error).rejects.toThrow(
      'Cannot ask credential helper "docker-credential-fake": it ended with status 1 and said "keychain \\x1b[2Jlocked"',
    );
  });

  test('shows nothing of output that is not JSON', async () => {
    const error = await askHelper('fake', 'a', await helper('echo s3cret')).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(CredentialHelperError);
    expect(String(error)).not.toContain('s3cret');
  });

  test('names a helper that is not installed', async () => {
    const error = askHelper('gone', 'a', createHelperRunner({ PATH: '/usr/bin:/bin' }));
    await expect(error).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('"docker-credential-gone"') as string,
      hint: expect.stringContaining('install docker-credential-gone'),
    });
  });

  test('kills a helper that does not respond', async () => {
    const error = askHelper('fake', 'a', await helper('sleep 600 & wait', 50));
    await expect(error).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('no output within 0.05 s') as string,
    });
  });

  test('C3: askHelper() shows what a failing helper wrote to standard error', async () => {
    const error = askHelper('fake', 'a', await helper(`echo 'the agent is locked' >&2; exit 2`));
    await expect(error).rejects.toThrow('it ended with status 2 and said "the agent is locked"');
    await expect(askHelper('fake', 'a', await helper('exit 3'))).rejects.toThrow(
      'it ended with status 3 and said nothing',
    );
  });

  test('C3: storeWithHelper() shows no secret that the helper wrote to standard error', async () => {
    const error = storeWithHelper(
      'fake',
      'a',
      { username: 'u', secret: 's3cret' },
      await helper('cat >&2; exit 1'),
    );
    await expect(error).rejects.toThrow(/^(?!.*s3cret).*\*\*\*/);
  });

  test('C3: askHelper() does not wait for a child that the helper leaves behind', async () => {
    const start = performance.now();
    const run = await helper(`sleep 20 & echo '{"Username":"u","Secret":"s"}'`);
    expect(await askHelper('fake', 'a', run)).toEqual({ username: 'u', secret: 's' });
    expect(performance.now() - start).toBeLessThan(15_000);
  });

  test('C3: askHelper() names a helper that the system does not run', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'docker-credential-fake');
    await writeFile(path, 'no program');
    await chmod(path, 0o644);
    await expect(
      askHelper('fake', 'a', createHelperRunner({ PATH: folder })),
    ).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('the system does not run it (EACCES)') as string,
      hint: expect.stringContaining('make it executable') as string,
    });
  });

  test('kills a helper that never stops writing', async () => {
    await expect(askHelper('fake', 'a', await helper('yes'))).rejects.toMatchObject({
      code: 'FAILED',
    });
  });

  test('kills the helper when it is aborted', async () => {
    const controller = new AbortController();
    const pending = askHelper('fake', 'a', await helper('sleep 600'), controller.signal);
    controller.abort(new Error('interrupted'));
    await expect(pending).rejects.toThrow('interrupted');
  });

  test.each(['../evil', 'a/b', 'a b', '', 'a\\b', 'a;b'])(
    'runs nothing for the name %j',
    async (name) => {
      const run: RunHelper = () => Promise.reject(new Error('was run'));
      await expect(askHelper(name, 'a', run)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    },
  );
});
