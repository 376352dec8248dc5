import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createPaint } from '../../../src/cli/output/paint.ts';
import type { CommandSpec } from '../../../src/command.ts';
import { RegiError } from '../../../src/errors.ts';
import { main } from '../../../src/main.ts';
import { styled } from '../../../src/styled.ts';
import { ECHO } from '../../support/cli/fake-command.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from '../../support/cli/io.ts';
import { ROOT } from '../../support/root.ts';

const ESCAPE = '\u001b';
const COLOURS = { NO_COLOR: '' };

describe('createPaint()', () => {
  test('createPaint() adds the colours of roles, and none without colours', async () => {
    const text = ['a ', styled('name', 'b'), [styled('good', 'c'), '\n']];
    expect(await createPaint(true)(text)).toBe(
      `a ${ESCAPE}[1mb${ESCAPE}[22m${ESCAPE}[32mc${ESCAPE}[39m\n`,
    );
    expect(await createPaint(false)(text)).toBe('a bc\n');
  });

  test.each([true, false])(
    'createPaint() escapes control characters in every part, with colours: %j',
    async (color) => {
      const evil = `${ESCAPE}[2J\u202e`;
      const painted = await createPaint(color)([evil, styled('name', evil)]);
      expect(painted).not.toContain(`${ESCAPE}[2J`);
      expect(painted).not.toContain('\u202e');
      expect(painted.match(/\\x1b\[2J\\u\{202e\}/g)).toHaveLength(2);
    },
  );
});

describe('colours of a command', () => {
  test('rows and errors have colours on a terminal', async () => {
    const io = await run([], { isTTY: true, env: COLOURS });
    expect(io.stdoutText()).toBe(`${ESCAPE}[1mrow${ESCAPE}[22m\n`);
    expect(io.stderrText()).toBe(
      `${ESCAPE}[1m${ESCAPE}[33mregi: warning:${ESCAPE}[39m${ESCAPE}[22m careful\n${ESCAPE}[2m  look${ESCAPE}[22m\n` +
        `${ESCAPE}[31mregi: Cannot do it${ESCAPE}[39m\n${ESCAPE}[2m  do that${ESCAPE}[22m\n`,
    );
  });

  test.each([
    ['in a pipe', [], { env: COLOURS }],
    ['with NO_COLOR', [], { isTTY: true, env: { NO_COLOR: '1' } }],
    ['with --color never', ['--color', 'never'], { isTTY: true, env: COLOURS }],
    ['with --json', ['--json', '--color', 'always'], { isTTY: true }],
  ] as const)('there are none %s', async (_when, argv, options) => {
    const io = await run(argv, options);
    expect(io.stdoutText() + io.stderrText()).not.toContain(ESCAPE);
    expect(io.stdoutText()).toContain('row');
    expect(io.stderrText()).toContain('Cannot do it');
  });

  test('each stream decides for itself', async () => {
    const terminal = fakeIo({ isTTY: true, env: COLOURS });
    const io: FakeIo = { ...terminal, stdout: { ...terminal.stdout, isTTY: false } };
    await main(['probe'], io, [PROBE]);
    expect(io.stdoutText()).toBe('row\n');
    expect(io.stderrText()).toContain(ESCAPE);
  });

  test('an error in the flags has the colours that --color asks for', async () => {
    const io = fakeIo();
    await main(['probe', '--color=always', '--nonsense'], io, [PROBE]);
    expect(io.stderrText()).toContain(`${ESCAPE}[31mregi: `);
  });
});

test('only paint.ts and the status area write escape sequences', () => {
  const writing = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .filter((path) =>
      /\\x1b|\\u001b|\\u\{1b\}|\\033|from 'chalk'|import\('chalk'\)|import\('ora'\)/i.test(
        // A comment may show what is escaped.
        readFileSync(join(ROOT, 'src', path), 'utf8').replace(/\/\*.*?\*\//gs, ''),
      ),
    );
  // Ora makes frames, which the area draws.
  expect(writing.sort()).toEqual([
    'cli/output/paint.ts',
    'cli/output/status-area.ts',
    'cli/output/waits.ts',
  ]);
});

/** A command whose row is a name, with a warning and an error. */
const PROBE: CommandSpec = {
  ...ECHO,
  load: async () => ({
    async *run(_args, { warn }) {
      yield 'row';
      warn('careful', 'look');
      throw new RegiError('FAILED', 'Cannot do it', { hint: 'do that' });
    },
    text: (row) => styled('name', String(row)),
  }),
};

async function run(argv: readonly string[], options: FakeIoOptions): Promise<FakeIo> {
  const io = fakeIo(options);
  await main(['probe', ...argv], io, [PROBE]);
  return io;
}
