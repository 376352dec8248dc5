import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';

import { RegiError } from '../../src/errors.ts';
import { parseSyncFile } from '../../src/sync/file/file.ts';
import { SYNC_SCHEMA } from '../../src/sync/file/schema.ts';
import { expectGolden } from '../support/golden.ts';

const ok = '{ from: a.test/x, to: b.test/x }';

/** Each mistake that the file may hold, by its name in the golden text. */
const MISTAKES: Readonly<Record<string, string>> = {
  'an unknown key': `version: 1\nimages:\n  - { from: a.test/x, to: b.test/x, tag: [a] }\n`,
  'an unknown key at the top': `version: 1\nimage: []\nimages: [${ok}]\n`,
  'a duplicate key': `version: 1\nimages:\n  - from: a.test/x\n    to: b.test/x\n    to: c.test/x\n`,
  'a second document': `version: 1\nimages: [${ok}]\n---\nversion: 1\n`,
  'another version': `version: 2\nimages: [${ok}]\n`,
  'no images': `version: 1\nimages: []\n`,
  'a number as a tag': `version: 1\nimages:\n  - { from: a.test/x, to: b.test/x, tags: [1.10] }\n`,
  'bad characters in a pattern': `version: 1\nimages:\n  - { from: a.test/x, to: b.test/x, tags: ['a/b'] }\n`,
  'an empty range': `version: 1\nimages:\n  - { from: a.test/x, to: b.test/x, tags: ['>2 <1'] }\n`,
  'from without its registry': `version: 1\nimages:\n  - { from: mirror/x, to: b.test/x }\n`,
  'to without its registry': `version: 1\nimages:\n  - { from: a.test/x, to: mirror/x }\n`,
  'to inside its own wildcard': `version: 1\nimages:\n  - { from: a.test/x/**, to: 'a.test/x/copy/{rest}' }\n`,
  'one tag from two sources': `version: 1\nimages:\n  - { from: 'a.test/x:1', to: b.test/x }\n  - { from: 'a.test/y:1', to: b.test/x }\n`,
  'two prunes of one repository': `version: 1\nimages:\n  - { from: a.test/x, to: b.test/x, prune: true }\n  - { from: a.test/y, to: b.test/x, prune: { old: true } }\n`,
  'a variable that is not set': `version: 1\nimages:\n  - { from: 'a.test/\${NOPE}', to: b.test/x }\n`,
  'dir: as a place': `version: 1\nimages:\n  - { from: 'dir:x', to: b.test/x }\n`,
  'standard output as an archive': `version: 1\nimages:\n  - { from: a.test/x, to: 'archive:-' }\n`,
  'a name behind an archive': `version: 1\nimages:\n  - { from: a.test/x, to: 'archive:x.tar:{tag}' }\n`,
  'a tag in a path': `version: 1\nimages:\n  - { from: a.test/x, to: 'oci:{tag}' }\n`,
  'since without an archive': `version: 1\nimages:\n  - { from: a.test/x, to: b.test/x, since: have.json }\n`,
  'an unknown placeholder': `version: 1\nimages:\n  - { from: a.test/x, to: 'b.test/{repo}' }\n`,
};

describe('mistakes in the file', () => {
  test('are reported at their line and column', async () => {
    const texts: string[] = [];
    for (const [name, text] of Object.entries(MISTAKES)) {
      const options = {
        name: 'mirror.yaml',
        env: {},
        host: { os: 'linux', architecture: 'amd64' },
      };
      const error: unknown = await parseSyncFile(text, options).catch((cause: unknown) => cause);
      expect(error, name).toBeInstanceOf(RegiError);
      if (!(error instanceof RegiError)) continue;
      expect(error, name).toMatchObject({ code: 'INVALID_CONFIG' });
      texts.push(`${name}\n  ${error.message}\n  ${error.hint ?? ''}\n`);
    }
    expectGolden('test/golden/sync/mistakes.txt', texts.join('\n'));
  });
});

test('docs/sync.schema.json is the schema of the file', () => {
  const schema = z.toJSONSchema(SYNC_SCHEMA, { target: 'draft-2020-12', io: 'input' });
  // Keys that begin with x- are the author's own, for anchors.
  const text = { ...schema, patternProperties: { '^x-': {} } };
  expectGolden('docs/sync.schema.json', `${JSON.stringify(text, null, 2)}\n`);
});
