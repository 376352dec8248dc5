import { PassThrough } from 'node:stream';

import { describe, expect, test } from 'vitest';

import { askAtTerminal } from '../../../src/cli/output/ask-at-terminal.ts';
import { InterruptedError } from '../../../src/errors.ts';

/** A fake terminal that records raw modes. */
function terminal() {
  const rawModes: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (mode: boolean) => void rawModes.push(mode),
  });
  const screen = new PassThrough();
  let shown = '';
  screen.setEncoding('utf8').on('data', (text: string) => (shown += text));
  const controller = new AbortController();
  const ask = (question: string, hidden: boolean) =>
    askAtTerminal({ input, screen, question, hidden, signal: controller.signal });
  return { input, ask, rawModes, controller, shown: () => shown };
}

describe('askAtTerminal()', () => {
  test('askAtTerminal() returns the typed line and shows it', async () => {
    const { input, ask, shown } = terminal();
    const reply = ask('User name: ', false);
    input.write('cI\x7fi\r');
    expect(await reply).toBe('ci');
    expect(shown()).toContain('User name: ');
  });

  test('askAtTerminal() shows no key of a hidden reply, not even after a visible question', async () => {
    const { input, ask, shown } = terminal();
    const username = ask('User name: ', false);
    input.write('ci\r');
    await username;
    const password = ask('Password: ', true);
    for (const key of 's3cretx') input.write(key);
    input.write('\x7f\r');
    expect(await password).toBe('s3cret');
    expect(shown()).toMatch(/Password: \n$/);
  });

  test('askAtTerminal() asks for a password only after the echo is off', async () => {
    const { input, ask, rawModes, shown } = terminal();
    const shownBefore: string[] = [];
    input.setRawMode = (mode) => {
      rawModes.push(mode);
      shownBefore.push(shown());
    };
    const password = ask('Password: ', true);
    input.write('s3cret\r');
    await password;
    expect([rawModes[0], shownBefore[0]]).toEqual([true, '']);
  });

  test.each([
    ['Enter', '\r'],
    ['Ctrl-D', '\x04'],
    ['Ctrl-C', '\x03'],
  ])('askAtTerminal() restores the echo after %s', async (_name, key) => {
    const { input, ask, rawModes } = terminal();
    const reply = ask('Password: ', true).catch(() => undefined);
    input.write(key);
    await reply;
    expect(rawModes).toEqual([true, false]);
  });

  test('askAtTerminal() rejects with InterruptedError at Ctrl-C, which sends no signal', async () => {
    const { input, ask } = terminal();
    const reply = ask('Password: ', true);
    input.write('half\x03');
    await expect(reply).rejects.toBeInstanceOf(InterruptedError);
  });

  test('askAtTerminal() resolves to undefined at the end of input', async () => {
    const { input, ask } = terminal();
    const reply = ask('Password: ', true);
    input.write('\x04');
    expect(await reply).toBeUndefined();
  });

  test('askAtTerminal() rejects when its signal aborts', async () => {
    const { ask, controller, rawModes } = terminal();
    const reply = ask('Password: ', true);
    controller.abort(new InterruptedError('SIGTERM'));
    await expect(reply).rejects.toThrow('SIGTERM');
    expect(rawModes.at(-1)).toBe(false);
  });
});
