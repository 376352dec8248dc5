import { describe, expect, test } from 'vitest';

import { credentialIdentity } from '../../src/credentials/credential.ts';

describe('credentialIdentity()', () => {
  test('tells credentials apart', () => {
    const identities = [
      credentialIdentity(undefined),
      credentialIdentity({ kind: 'password', username: 'a', password: 'b' }),
      credentialIdentity({ kind: 'password', username: 'ab', password: '' }),
      credentialIdentity({ kind: 'identity-token', token: 'b' }),
      credentialIdentity({ kind: 'registry-token', token: 'b' }),
    ];
    expect(new Set(identities).size).toBe(identities.length);
  });

  test('is the same for the same credential and does not hold it', () => {
    const identity = credentialIdentity({
      kind: 'password',
      username: 'alice',
      password: 's3cret',
    });
    expect(identity).toBe(
      credentialIdentity({ kind: 'password', username: 'alice', password: 's3cret' }),
    );
    expect(identity).not.toContain('s3cret');
  });
});
