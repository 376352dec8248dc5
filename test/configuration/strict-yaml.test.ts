import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';

import { parseStrictYaml } from '../../src/configuration/strict-yaml.ts';

const SCHEMA = z.strictObject({
  version: z.literal(1),
  tags: z.optional(z.array(z.string())),
  latest: z.optional(z.union([z.int().check(z.minimum(1)), z.strictObject({ count: z.int() })])),
});

async function parse(text: string): Promise<unknown> {
  const { value } = await parseStrictYaml(text, {
    name: 'mirror.yaml',
    schema: SCHEMA,
    ownKeys: 'x-',
    hint: 'see docs/sync.md',
  });
  return value;
}

describe('parseStrictYaml()', () => {
  test('expands anchors and merges, and ignores keys of the author', async () => {
    const text = 'version: 1\nx-tags: &t ["1", "2"]\ntags: *t\n';
    expect(await parse(text)).toEqual({ version: 1, tags: ['1', '2'] });
  });

  test.each([
    ['a: [', '1:5: expected YAML'],
    ['version: 1\nversion: 1\n', '2:1: expected each key once'],
    ['version: 1\n---\nversion: 1\n', '2:1: expected one document'],
    ['version: 2\n', '1:10: expected 1 in version, found the number 2'],
    ['version: 1\nother: 2\n', '2:1: unknown key "other"'],
    ['tags: []\n', '1:1: expected the key "version"'],
    [
      'version: 1\ntags: [1.10]\n',
      "2:8: expected text in tags[0], found the number 1.10; write '1.10'",
    ],
    [
      'version: 1\ntags: [on, true]\n',
      "2:12: expected text in tags[1], found the word true; write 'true'",
    ],
    ['version: 1\ntags: "1"\n', '2:7: expected a list in tags, found "1"'],
    ['version: 1\nlatest: 0\n', '2:9: expected at least 1 in latest, found the number 0'],
    ['version: 1\nlatest: { count: x }\n', '2:18: expected a number in latest.count, found "x"'],
    ['version: 1\nlatest: x\n', '2:9: expected a number or a map in latest, found "x"'],
    ['', '1:1: expected a map, found nothing'],
  ])('%j: %s', async (text, message) => {
    await expect(parse(text)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(`mirror.yaml:${message}`) as string,
    });
  });

  test('refuses an alias without an anchor', async () => {
    await expect(parse('images: [*missing]')).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('expected an anchor before each alias'),
    });
  });

  test('refuses aliases that expand without limit', async () => {
    const lines = ['version: 1', 'x-a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg']) {
      lines.push(
        `x-${String(to)}: &${String(to)} [${Array.from({ length: 10 }, () => `*${String(from)}`).join(', ')}]`,
      );
    }
    await expect(parse(lines.join('\n'))).rejects.toThrow('found more after aliases');
  });
});
