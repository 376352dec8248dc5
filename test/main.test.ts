import { describe, expect, test } from 'vitest';

import { COMMAND_GROUPS } from '../src/command.ts';
import { COMMANDS } from '../src/commands/index.ts';
import { RegiError, InterruptedError } from '../src/errors.ts';
import { main } from '../src/main.ts';
import { ECHO, fakeCommand } from './support/cli/fake-command.ts';
import { expectGolden } from './support/golden.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from './support/cli/io.ts';
import { runMain } from './support/cli/run-main.ts';

const FORMS = [
  ['help', ['help']],
  ['help-tags', ['tags']],
  ['help-image', ['image']],
] as const;

describe('help', () => {
  test.each(FORMS)('%s is the golden text', async (name, argv) => {
    const io = fakeIo({ columns: 100 });
    expect(await main(argv, io)).toBe(0);
    expect(io.stderrText()).toBe('');
    expectGolden(`test/golden/cli/${name}.txt`, io.stdoutText());
  });

  test.each(COMMANDS.map(({ name }) => name))('%s has its golden text', async (name) => {
    const io = fakeIo({ columns: 100 });
    expect(await main(['help', ...name.split(' ')], io)).toBe(0);
    expectGolden(`test/golden/cli/help/${name.replaceAll(' ', '-')}.txt`, io.stdoutText());
  });

  test.each([
    [['copy', '--help']],
    [['copy', '-h', '--nonsense']],
    [['cp', '--help']],
    [['help', 'cp']],
  ])('%j is the help of copy', async (argv) => {
    const [wanted, io] = [fakeIo(), fakeIo()];
    await main(['help', 'copy'], wanted);
    expect(await main(argv, io)).toBe(0);
    expect(io.stdoutText()).toBe(wanted.stdoutText());
  });

  test('the list of commands fits 80 columns and 60 rows, one line per command', async () => {
    const io = fakeIo({ columns: 80 });
    await main(['help'], io);
    const lines = io.stdoutText().split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.filter((line) => line.startsWith('   '))).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(60 + 1);
  });

  test('the list of commands has every command and every group', async () => {
    const { stdout } = await runMain(['help']);
    const missing = COMMANDS.filter(({ name }) => {
      const [topic = '', second] = name.split(' ');
      return !new RegExp(`^  (?:${name}\\b|${topic} [a-z|]*\\b${second ?? ''}\\b)`, 'm').test(
        stdout,
      );
    });
    expect(missing.map(({ name }) => name)).toEqual([]);
    for (const group of COMMAND_GROUPS) expect(stdout).toContain(`\n${group}\n`);
  });

  test.each([40, 80, 120])('no line of prose is longer than %d columns', async (columns) => {
    const io = fakeIo({ columns });
    await main(['help', 'copy'], io);
    const prose = io
      .stdoutText()
      .split('\n')
      .filter((line) => !/^ {2}(?:regi|#)|^Usage|^Also/.test(line));
    // The left column may be wider than a narrow terminal; the right one has at least 20 columns.
    expect(Math.max(...prose.map((line) => line.length))).toBeLessThanOrEqual(
      Math.max(columns, 58),
    );
  });
});

describe('mistakes', () => {
  test.each([
    ['an unknown command', ['cpoy', 'a', 'b']],
    ['an unknown flag', ['copy', '--platfrom', 'linux/amd64', 'a', 'b']],
    ['a bad value', ['copy', '--timeout', 'soon', 'a', 'b']],
    ['a bad choice', ['copy', '--progress', 'fancy', 'a', 'b']],
    ['an ambiguous command', ['rm', 'a:1']],
  ])('main() reports %s with two lines and status 2', async (_what, argv) => {
    const { status, io } = await run(argv);
    expect(status).toBe(2);
    expect(io.stdoutText()).toBe('');
    expect(io.stderrText()).toMatch(/^regi: Cannot .+\n {2}\S.+\n$/);
  });

  test('main() reports a mistake as one JSON object with --json, even if the flags do not parse', async () => {
    const { status, io } = await run(['--json', 'probe', '--timeout', 'soon']);
    expect(status).toBe(2);
    expect(JSON.parse(io.stderrText())).toEqual({
      error: {
        code: 'USAGE',
        message: expect.stringContaining('"soon" for "--timeout"') as string,
        hint: expect.any(String) as string,
      },
    });
  });

  test('main() escapes control characters and characters that reverse text', async () => {
    const { io } = await run(['\u001b[31mred\u202e']);
    expect(io.stderrText()).not.toMatch(/[\u001b\u202e]/);
  });
});

describe('rows', () => {
  const rows = fakeCommand(async function* () {
    yield { tag: 'a' };
    yield { tag: 'b' };
  });

  test('main() writes each row as text', async () => {
    const { status, io } = await run(
      ['probe'],
      {},
      {
        ...rows,
        load: async () => ({ ...(await rows.load()), text: (row) => (row as { tag: string }).tag }),
      },
    );
    expect(status).toBe(0);
    expect(io.stdoutText()).toBe('a\nb\n');
    expect(io.stderrText()).toBe('');
  });

  test('main() writes each row as a JSON line', async () => {
    const { io } = await run(['probe', '--json'], {}, rows);
    expect(io.stdoutText()).toBe('{"tag":"a"}\n{"tag":"b"}\n');
  });

  test('main() writes bytes as they are, with no newline', async () => {
    const bytes = Uint8Array.from([0, 27, 255, 10, 13]);
    const { io } = await run(
      ['probe'],
      {},
      fakeCommand(async function* () {
        yield bytes;
      }),
    );
    expect([...io.stdoutBytes()]).toEqual([...bytes]);
  });

  test('main() escapes control characters in a row', async () => {
    const { io } = await run(
      ['probe'],
      {},
      fakeCommand(async function* () {
        yield 'tag\u001b]0;title\u0007\tnext\n';
      }),
    );
    expect(io.stdoutText()).toBe('tag\\x1b]0;title\\x07\tnext\n');
  });

  test('main() passes arguments and settings', async () => {
    const { io } = await run(['probe', 'x', '-p', 'linux/arm64', '--dry-run']);
    expect(JSON.parse(io.stdoutText())).toMatchObject({
      positionals: ['x'],
      options: { platform: ['linux/arm64'], 'dry-run': true },
    });
  });
});

describe('a reader that has gone', () => {
  test('main() stops a read-only command without an error', async () => {
    let yielded = 0;
    const { status, io } = await run(
      ['probe'],
      { stdoutBreaksAt: 2 },
      fakeCommand(async function* () {
        for (; yielded < 1000; yielded += 1) yield 'row';
      }),
    );
    expect({ status, stderr: io.stderrText() }).toEqual({ status: 0, stderr: '' });
    expect(yielded).toBeLessThan(1000);
  });

  test('main() lets a command that writes finish', async () => {
    let yielded = 0;
    const { status } = await run(
      ['probe'],
      { stdoutBreaksAt: 0 },
      fakeCommand(
        async function* () {
          for (; yielded < 3; yielded += 1) yield 'row';
          throw new TestError();
        },
        { changes: true },
      ),
    );
    expect({ status, yielded }).toEqual({ status: 3, yielded: 3 });
  });

  test('main() prints help without an error when the reader has gone', async () => {
    const { status, io } = await run(['help'], { stdoutBreaksAt: 0 });
    expect({ status, stderr: io.stderrText() }).toEqual({ status: 0, stderr: '' });
  });
});

describe('failures', () => {
  test('main() prints message and hint, and returns the status of the code', async () => {
    const { status, io } = await run(['probe'], {}, failing(new TestError()));
    expect(status).toBe(3);
    expect(io.stderrText()).toBe('regi: Cannot find "x"\n  try y\n');
  });

  test('main() prints causes with --verbose', async () => {
    const { io } = await run(
      ['probe', '-v'],
      {},
      failing(new TestError(new Error('socket hang up'))),
    );
    expect(io.stderrText()).toContain('  because: socket hang up\n');
  });

  test('main() prints the stack of a bug and returns 1', async () => {
    const { status, io } = await run(['probe'], {}, failing(new TypeError('x is not a function')));
    expect(status).toBe(1);
    expect(io.stderrText()).toMatch(
      /^regi: Unexpected TypeError: x is not a function\n {2}this is a bug in regi.*\n {2}at /,
    );
  });

  test('main() prints each image that failed, and then the count', async () => {
    const { status, io } = await run(
      ['probe'],
      {},
      fakeCommand(async function* (_args, { onEvent }) {
        yield 'output\n';
        onEvent({ kind: 'failed', image: 'b', error: new TestError() });
        throw new PartialError();
      }),
    );
    expect(status).toBe(8);
    expect(io.stdoutText()).toBe('output\n');
    expect(io.stderrText()).toMatch(
      /^regi: Cannot find "x"\n {2}try y\nregi: 1 of 2 failed\n {2}run the same command again.*\n$/,
    );
  });

  test('main() returns 130 after SIGINT and 143 after SIGTERM, whatever else failed', async () => {
    for (const [name, expected] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const controller = new AbortController();
      const interrupted = fakeCommand(async function* (_args, { signal }) {
        yield 'first\n';
        controller.abort(new InterruptedError(name));
        throw new Error('socket closed', { cause: signal.reason });
      });
      const { status, io } = await run(['probe'], { signal: controller.signal }, interrupted);
      expect(status).toBe(expected);
      expect(io.stderrText()).toBe(`regi: Interrupted by ${name}\n`);
    }
  });
});

describe('messages of a command', () => {
  const talking = fakeCommand(async function* (_args, { warn, note, log }) {
    warn('Careful', 'look twice');
    note('Working');
    log('GET /v2/ 200');
    yield 'output\n';
  });

  test('main() prints warnings and notes on standard error, and log lines only with --verbose', async () => {
    expect((await run(['probe'], {}, talking)).io.stderrText()).toBe(
      'regi: warning: Careful\n  look twice\nWorking\n',
    );
    expect((await run(['probe', '-v'], {}, talking)).io.stderrText()).toContain('GET /v2/ 200\n');
  });

  test('main() prints only the output with --quiet', async () => {
    const { io } = await run(['probe', '-q', '-v'], {}, talking);
    expect(io.stderrText()).toBe('');
    expect(io.stdoutText()).toBe('output\n');
  });

  test('main() prints warnings as objects with --json', async () => {
    const { io } = await run(['probe', '--json'], {}, talking);
    expect(io.stderrText().split('\n')[0]).toBe(
      '{"warning":{"message":"Careful","hint":"look twice"}}',
    );
  });
});

class TestError extends RegiError {
  constructor(cause?: unknown) {
    super('NOT_FOUND', 'Cannot find "x"', { hint: 'try y', cause });
  }
}

class PartialError extends RegiError {
  constructor() {
    super('PARTIAL_FAILURE', '1 of 2 failed');
  }
}

function failing(error: Error): ReturnType<typeof fakeCommand> {
  return fakeCommand(async function* () {
    yield* [];
    throw error;
  });
}

async function run(
  argv: readonly string[],
  options: FakeIoOptions = {},
  command = ECHO,
): Promise<{ status: number; io: FakeIo }> {
  const io = fakeIo(options);
  return { status: await main(argv, io, [...COMMANDS, command]), io };
}
