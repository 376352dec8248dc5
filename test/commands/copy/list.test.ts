import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseCopyList } from '../../../src/commands/copy/list.ts';
import { RegiError } from '../../../src/errors.ts';
import { outcomeOfAsync } from '../../support/outcome.ts';

const parse = (text: string, prefix?: string) =>
  parseCopyList(text, { name: 'the list', prefix }, { cwd: '/nowhere' });

describe('parseCopyList()', () => {
  const DIGEST = `sha256:${'a'.repeat(64)}`;

  test('reads the lines of a lock', async () => {
    const lock = `# made by regi\nr.test/app:1@${DIGEST} q.test/app:1 bytes=12 platforms=linux/amd64\n`;
    expect(await parse(lock)).toMatchObject([
      { source: { reference: { path: 'app', tag: '1', digest: DIGEST } }, image: 'q.test/app:1' },
    ]);
  });

  test('places lines of a lock without destination under the PREFIX, by their tag', async () => {
    const lock = `debian:12@${DIGEST} bytes=12\n`;
    expect(await parse(lock, 'q.test/mirror')).toMatchObject([
      { image: 'q.test/mirror/library/debian:12' },
    ]);
  });

  test('refuses a PREFIX beside the destinations of a lock', async () => {
    const lock = `r.test/app:1@${DIGEST} q.test/app:1 bytes=12\n`;
    await expect(parse(lock, 'q.test/mirror')).rejects.toThrow(/line 1 .*beside the PREFIX/);
  });

  test('skips comments behind an entry', async () => {
    expect(await parse('r.test/app:1 q.test/app:1 # nightly\n')).toHaveLength(1);
  });

  test.each([
    ['a.example/x:1 b.example/y:2', undefined, 'b.example/y:2'],
    ['a.example/team/x:1', 'b.example/mirror', 'b.example/mirror/team/x:1'],
    ['debian:12', 'b.example/mirror/', 'b.example/mirror/library/debian:12'],
    [`a.example/x@sha256:${'a'.repeat(64)}`, 'b.example', `b.example/x@sha256:${'a'.repeat(64)}`],
    ['docker://a.example/x:1 \t oci:folder:y', undefined, 'oci:folder:y'],
  ])('reads %j', async (text, prefix, image) => {
    expect(await parse(text, prefix)).toMatchObject([{ image }]);
  });

  test('skips empty lines and comments, and accepts line ends of Windows', async () => {
    expect(await parse('\r\n# one\r\na.example/x b.example/x\r\n   \r\n')).toHaveLength(1);
  });

  test.each([
    ['a.example/x', undefined, 'expected a destination beside "a.example/x"'],
    ['oci:folder:x', 'b.example', 'expected a destination beside "oci:folder:x"'],
    ['a.example/x b.example/y z', undefined, 'expected "SRC [DST]", found 3 words'],
    ['a.example/X b.example/y', undefined, 'Repository names are lower-case: "a.example/X"'],
    [
      'a.example/x b.example/y\na.example/z b.example/y:latest',
      undefined,
      'line 1 also copies to "b.example/y:latest"',
    ],
  ])('refuses %j', async (text, prefix, problem) => {
    const error = await outcomeOfAsync(parse(text, prefix));
    expect(error).toBeInstanceOf(RegiError);
    expect(error).toMatchObject({
      details: { line: text.split('\n').length },
      message: expect.stringContaining(`of the list: ${problem}`) as string,
      hint: expect.any(String) as string,
    });
  });

  test('returns a list or throws a RegiError on any text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        async (text) => void (await outcomeOfAsync(parse(text, 'b.example'))),
      ),
    );
  });
});
