import { describe, expect, test } from 'vitest';

import { connectError } from '../../src/http/errors.ts';

const missing = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });

describe('connectError()', () => {
  test('connectError() explains why a single word was read as a host', () => {
    // `Foo/bar` is, as docker reads it, the repository `bar` of the registry "Foo".
    expect(connectError(new URL('https://foo'), missing)).toMatchObject({
      message: 'Cannot connect to "foo": no such host',
      hint: expect.stringContaining('repository names are lower-case') as string,
    });
  });

  test('connectError() says that a name without a registry means Docker Hub', () => {
    expect(connectError(new URL('https://registry-1.docker.io'), missing).hint).toBe(
      'a name without a registry is looked up on Docker Hub: check the network connection, or write REGISTRY/NAME',
    );
  });

  test.each(['https://registry.example', 'https://registry:5000', 'http://localhost'])(
    'says of %s to check its spelling',
    (url) => {
      expect(connectError(new URL(url), missing).hint).toBe('check the spelling of the host');
    },
  );
});
