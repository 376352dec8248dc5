import { describe, expect, test } from 'vitest';

import { credentialIdentity } from '../../src/credentials/credential.ts';

describe('credentialIdentity()', () => {
  test('differs for different credentials', () => {
    const identities = [
      credentialIdentity(undefined),
      credentialIdentity({ kind: 'password', username: 'a', password: 'b' }),
      credentialIdentity({ kind: 'password', username: 'ab', password: '' }),
      credentialIdentity({ kind: 'identity-token', token: 'b' }),
      credentialIdentity({ kind: 'registry-token', token: 'b' }),
    ];
    expect(new Set(identities).size).toBe(identities.length);
  });

  test('is equal for equal credentials, and does not contain them', () => {
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
