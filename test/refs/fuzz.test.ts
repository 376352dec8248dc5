import fc from 'fast-check';
import { expect, test } from 'vitest';

import { RegiError } from '../../src/errors.ts';
import { findInText, type FileFormat } from '../../src/refs/find-in-text.ts';
import { walkFiles } from '../../src/refs/walk-files.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAMES: readonly (readonly [string, FileFormat])[] = [
  ['pod.yaml', 'yaml'],
  ['compose.yaml', 'yaml'],
  ['values.yaml', 'yaml'],
  ['Chart.yaml', 'yaml'],
  ['kustomization.yaml', 'yaml'],
  ['.gitlab-ci.yml', 'yaml'],
  ['.github/workflows/a.yml', 'yaml'],
  ['Dockerfile', 'dockerfile'],
  ['list.txt', 'list'],
];

test('findInText() throws typed errors only, on any text', async () => {
  const piece = fc.constantFrom(
    'image: ',
    'FROM ',
    'ARG A=',
    '${A:-',
    '}',
    '&a ',
    '*a',
    '<<: ',
    '|-\n',
    '>\n',
    '{',
    '[',
    ']',
    '"',
    "'",
    '\n',
    '  ',
    '- ',
    'apiVersion: v1\n',
    'kind: Pod\n',
    'spec:\n',
    'nginx:1',
    '<<EOF\n',
    'EOF\n',
    '\\\n',
    '#',
    '\t',
    '\0',
    'é',
    ':',
    'repository: a/b\n',
    'tag: 1.10\n',
  );
  const text = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  await fc.assert(
    fc.asyncProperty(text, fc.constantFrom(...NAMES), async (content, [name, format]) => {
      try {
        await findInText(name, content, format);
      } catch (error) {
        expect(error).toBeInstanceOf(RegiError);
      }
    }),
    { numRuns: 500 },
  );
});

test('findInText() refuses aliases that expand without bound', async () => {
  const lines = ['a: &a0 [image, image]'];
  for (let level = 1; level < 40; level += 1)
    lines.push(`b${level}: &a${level} [*a${level - 1}, *a${level - 1}]`);
  await expect(findInText('a.yaml', lines.join('\n'), 'yaml')).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  });
});

test('walkFiles() refuses more files than its bound', async () => {
  const cwd = temporaryFolder();
  for (let index = 0; index < 11; index += 1) writeFileSync(join(cwd, `${index}.yaml`), '');
  const walk = async (): Promise<number> => {
    let count = 0;
    const options = { cwd, signal: new AbortController().signal, maximum: 10 };
    for await (const file of walkFiles(['.'], options)) count += file.bytes + 1;
    return count;
  };
  await expect(walk()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});
