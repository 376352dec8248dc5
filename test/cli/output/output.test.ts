import { describe, expect, test } from 'vitest';

import type { Context } from '../../../src/context.ts';
import type { TextOutput } from '../../../src/io.ts';
import { main } from '../../../src/main.ts';
import { fakeCommand } from '../../support/cli/fake-command.ts';
import { deferred } from '../../support/deferred.ts';
import { fakeIo, type FakeIo } from '../../support/cli/io.ts';

describe('rowWriter()', () => {
  test('rowWriter() writes rows that come without a wait together and in order', async () => {
    const { io } = await run(async function* () {
      for (let row = 0; row < 1000; row += 1) yield `${row}`;
    });
    expect(io.stdoutText()).toBe(Array.from({ length: 1000 }, (_, row) => `${row}\n`).join(''));
    expect(io.stdoutWrites()).toBeLessThan(20);
  });

  test('rowWriter() writes buffered rows when the command waits', async () => {
    const io = fakeIo();
    const gate = deferred();
    const running = run(async function* () {
      yield 'first';
      yield 'second';
      await gate.promise;
      yield 'third';
    }, io);
    await expect.poll(() => io.stdoutText(), { timeout: 30_000 }).toBe('first\nsecond\n');
    gate.resolve();
    await running;
    expect(io.stdoutText()).toBe('first\nsecond\nthird\n');
  });

  test('rowWriter() keeps the order of rows and warnings', async () => {
    const { log } = await run(async function* (_args, context: Context) {
      yield 'one';
      context.warn('w1');
      yield 'two';
      yield 'three';
      context.warn('w2');
      yield 'four';
    });
    expect(log).toEqual(['one', 'w1', 'two', 'three', 'w2', 'four']);
  });

  test('rowWriter() writes the rows before a failure, then the failure', async () => {
    const { status, log } = await run(async function* () {
      yield 'one';
      yield 'two';
      throw new TypeError('broken');
    });
    expect(log.slice(0, 2)).toEqual(['one', 'two']);
    expect(log.join(' ')).toContain('broken');
    expect(status).not.toBe(0);
  });

  test('rowWriter() writes borrowed bytes before it requests more, after earlier text', async () => {
    const { io } = await run(async function* () {
      const chunk = new TextEncoder().encode('bytes\n');
      yield 'text';
      yield 'more';
      yield chunk;
      chunk.fill(0xde);
      yield 'end';
    });
    expect(io.stdoutText()).toBe('text\nmore\nbytes\nend\n');
  });

  test('rowWriter() fails the command when standard output takes no more, even for the last rows', async () => {
    const { status, io } = await run(
      async function* () {
        yield 'one';
        yield 'two';
      },
      fakeIo(),
      1,
    );
    expect(io.stderrText()).toContain('Cannot write to standard output: no space left on device');
    expect(status).not.toBe(0);
  });
});

/** Runs a command and logs the lines of both streams in the order of their writes. */
async function run(
  body: Parameters<typeof fakeCommand>[0],
  io: FakeIo = fakeIo(),
  fullAt = Number.POSITIVE_INFINITY,
) {
  const log: string[] = [];
  const logged = (output: TextOutput, breaksAt: number): TextOutput => ({
    ...output,
    async write(chunk) {
      if (log.length >= breaksAt) throw new Error('no space left on device');
      await output.write(chunk);
      log.push(
        ...Buffer.from(chunk)
          .toString('utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.replace(/^regi: /, '').replace(/^warning: /i, '')),
      );
    },
  });
  const status = await main(
    ['probe'],
    {
      ...io,
      stdout: logged(io.stdout, fullAt),
      stderr: logged(io.stderr, Number.POSITIVE_INFINITY),
    },
    [fakeCommand(body)],
  );
  return { status, io, log };
}
