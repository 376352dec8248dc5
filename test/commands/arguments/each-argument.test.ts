import { describe, expect, test } from 'vitest';

import { eachArgument } from '../../../src/commands/arguments/each-argument.ts';
import type { Context } from '../../../src/context.ts';
import { InterruptedError, UsageError } from '../../../src/errors.ts';
import type { CopyEvent } from '../../../src/operations/copy/events.ts';

const ITEMS = [{ text: 'a' }, { text: 'b' }, { text: 'c' }];

async function run(
  items: readonly { readonly text: string }[],
  failing: Readonly<Record<string, Error>>,
): Promise<{ rows: string[]; events: CopyEvent[]; error: unknown }> {
  const [rows, events]: [string[], CopyEvent[]] = [[], []];
  const context = {
    signal: new AbortController().signal,
    onEvent: (event: CopyEvent) => void events.push(event),
  } as unknown as Context;
  let error: unknown;
  try {
    for await (const row of eachArgument(items, context, async ({ text }) => {
      if (failing[text] !== undefined) throw failing[text];
      return text;
    }))
      rows.push(row);
  } catch (thrown) {
    error = thrown;
  }
  return { rows, events, error };
}

describe('eachArgument()', () => {
  test('continues after an argument that fails, emits its failure, and throws at the end', async () => {
    const { rows, events, error } = await run(ITEMS, { b: new UsageError('no') });
    expect({ rows, told: events.map((event) => event.kind === 'failed' && event.image) }).toEqual({
      rows: ['a', 'c'],
      told: ['b'],
    });
    expect(error).toMatchObject({
      code: 'PARTIAL_FAILURE',
      details: { failed: 1, total: 3 },
    });
  });

  test('throws the error of a single argument', async () => {
    expect((await run([{ text: 'a' }], { a: new UsageError('no') })).error).toMatchObject({
      code: 'USAGE',
    });
  });

  test('stops at Ctrl-C that was typed at a question, and at a bug', async () => {
    const typed = await run(ITEMS, { b: new InterruptedError('SIGINT') });
    expect({ rows: typed.rows, error: typed.error }).toEqual({
      rows: ['a'],
      error: new InterruptedError('SIGINT'),
    });
    expect((await run(ITEMS, { b: new TypeError('bug') })).rows).toEqual(['a']);
  });
});
