import { describe, expect, test } from 'vitest';

import { createEnvironmentSource } from '../../src/credentials/environment.ts';
import { InvalidConfigError } from '../../src/errors.ts';

const ALL = {
  REGI_REGISTRY: 'registry.example:5000',
  REGI_USERNAME: 'alice',
  REGI_PASSWORD: 's3cret',
};

describe('createEnvironmentSource()', () => {
  test('finds the login of that registry', async () => {
    expect(await createEnvironmentSource(ALL)('registry.example:5000', undefined)).toEqual({
      credential: { kind: 'password', username: 'alice', password: 's3cret' },
      origin: 'REGI_USERNAME and REGI_PASSWORD',
    });
  });

  test.each(['registry.example', 'registry.example:5001', 'evil.example', 'docker.io'])(
    'does not answer for %s',
    async (host) => {
      expect(await createEnvironmentSource(ALL)(host, undefined)).toBeUndefined();
    },
  );

  test.each([
    'https://registry.example:5000',
    'https://registry.example:5000/v2/',
    'http://registry.example:5000',
  ])('accepts %s as the registry', async (registry) => {
    expect(
      await createEnvironmentSource({ ...ALL, REGI_REGISTRY: registry })(
        'registry.example:5000',
        undefined,
      ),
    ).toBeDefined();
  });

  test('recognises the names of Docker Hub', async () => {
    expect(
      await createEnvironmentSource({ ...ALL, REGI_REGISTRY: 'index.docker.io' })(
        'docker.io',
        undefined,
      ),
    ).toBeDefined();
  });

  test.each([{}, { REGI_REGISTRY: 'a' }, { REGI_USERNAME: '', REGI_PASSWORD: '' }])(
    'answers for nothing with %j',
    async (env) => {
      expect(await createEnvironmentSource(env)('a', undefined)).toBeUndefined();
    },
  );

  test.each(['REGI_REGISTRY', 'REGI_USERNAME', 'REGI_PASSWORD'])('fails without %s', (name) => {
    expect(() => createEnvironmentSource({ ...ALL, [name]: undefined })).toThrow(
      InvalidConfigError,
    );
    expect(() => createEnvironmentSource({ ...ALL, [name]: '' })).toThrow(`found no ${name}`);
  });
});
