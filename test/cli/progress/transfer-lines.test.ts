import { describe, expect, test } from 'vitest';
import { transferLines } from '../../../src/cli/progress/transfer-lines.ts';
import { TransferModel } from '../../../src/cli/progress/transfer-model.ts';
import { plainText } from '../../../src/styled.ts';
import { layer, manifest } from '../../support/images/descriptors.ts';

const MIB = 1024 * 1024;
const BIG = layer('big', 100 * MIB);
const SMALL = layer('small', MIB);
const ROOT = manifest('root');
const TO = 'b.example/app';

describe('transferLines()', () => {
  const linesOf = (...of: Parameters<typeof transferLines>): readonly string[] =>
    transferLines(...of).map(plainText);

  const model = new TransferModel();
  for (const target of [BIG, SMALL]) model.add({ kind: 'started', target, from: 'a', to: TO }, 0);
  for (let at = 100; at <= 1000; at += 100)
    model.add({ kind: 'progress', target: BIG, bytes: 2.5 * MIB, to: TO }, at);
  const view = model.view(1000);

  test('D19: transferLines() shows no speed for less than 1 MiB', () => {
    const tiny = new TransferModel();
    tiny.add({ kind: 'started', target: layer('tiny', 29), from: 'a', to: TO }, 0);
    tiny.add({ kind: 'progress', target: layer('tiny', 29), bytes: 10, to: TO }, 100);
    const style = { columns: 100, rows: 24, unicode: false };
    const lines = linesOf(tiny.view(200), style);
    expect(lines).toHaveLength(2);
    expect(lines.join('\n')).not.toContain('/s');
  });

  test('shows bar, bytes and speed, and a total with the time left', () => {
    const lines = linesOf(view, { columns: 100, rows: 24, unicode: false });
    expect(lines[0]).toMatch(
      /^sha256:[0-9a-f]{12} ={8}-{24} {2}25% {2}25\.0 MiB \/ 100\.0 MiB {3}25\.0 MiB\/s$/,
    );
    expect(lines[2]).toBe('0 of 2 blobs, 25.0 MiB of 101.0 MiB, 25.0 MiB/s, 3 s left');
  });

  test.each([20, 30, 40, 60, 80, 100, 200])('no line reaches the last of %d columns', (columns) => {
    for (const unicode of [true, false]) {
      for (const line of linesOf(view, { columns, rows: 24, unicode }))
        expect(line.length).toBeLessThan(columns);
    }
  });

  test('shows the first transfers and how many more there are', () => {
    const many = new TransferModel();
    for (let index = 0; index < 20; index += 1)
      many.add({ kind: 'started', target: layer(`layer ${index}`, MIB), from: 'a', to: TO }, 0);
    const lines = linesOf(many.view(0), {
      columns: 80,
      rows: 24,
      unicode: true,
    });
    expect(lines).toHaveLength(10);
    expect(lines[8]).toBe('  and 12 more');
    for (const rows of [12, 8, 5, 3])
      expect(linesOf(many.view(0), { columns: 80, rows, unicode: true }).length).toBeLessThan(rows);
  });

  test('counts blobs once they are known, and no longer when they turn out to exist', () => {
    const known = new TransferModel();
    for (const target of [BIG, SMALL]) known.add({ kind: 'found', target, to: TO }, 0);
    known.add({ kind: 'started', target: SMALL, from: 'a', to: TO }, 0);
    expect(known.view(0)).toMatchObject({ nodes: 2, finished: 0, bytes: 101 * MIB, moved: 0 });
    known.add({ kind: 'copied', target: SMALL, to: TO }, 10);
    expect(known.view(10)).toMatchObject({ nodes: 2, finished: 1, bytes: 101 * MIB, moved: MIB });
    known.add({ kind: 'skipped', target: BIG, to: TO }, 20);
    expect(known.view(20)).toMatchObject({ nodes: 2, finished: 2, bytes: MIB, moved: MIB });
  });

  test('counts finished images beside blobs, and keeps them on narrow terminals', () => {
    const many = new TransferModel();
    many.add({ kind: 'listed', images: 12 }, 0);
    many.add({ kind: 'started', target: BIG, from: 'a', to: TO }, 0);
    for (let at = 100; at <= 1000; at += 100)
      many.add({ kind: 'progress', target: BIG, bytes: 2.5 * MIB, to: TO }, at);
    for (const kind of ['tagged', 'unchanged'] as const)
      many.add({ kind, image: 'x', root: ROOT }, 1000);
    const total = (columns: number) =>
      linesOf(many.view(1000), { columns, rows: 24, unicode: true }).at(-1);
    expect(total(100)).toBe(
      '2 of 12 images · 0 of 1 blob · 25.0 MiB of 100.0 MiB · 25.0 MiB/s · 3 s left',
    );
    expect(total(80)).toBe(
      '2 of 12 images · 0 of 1 blob · 25.0 MiB of 100.0 MiB · 25.0 MiB/s · 3 s left',
    );
    expect(total(60)).toBe('2 of 12 images · 25.0 MiB of 100.0 MiB · 3 s left');
    expect(total(40)).toBe('2 of 12 images · 3 s left');
    many.add({ kind: 'listed', images: 1 }, 1000);
    expect(total(100)).toMatch(/^0 of 1 blob ·/);
  });

  test('counts a partly read blob as finished, with the bytes that were read', () => {
    const reading = new TransferModel();
    for (const target of [BIG, SMALL]) reading.add({ kind: 'found', target, to: '' }, 0);
    reading.add({ kind: 'started', target: BIG, from: 'a', to: '' }, 0);
    reading.add({ kind: 'progress', target: BIG, bytes: MIB, to: '' }, 10);
    reading.add({ kind: 'read', target: BIG, to: '' }, 20);
    expect(reading.view(20)).toMatchObject({
      nodes: 2,
      finished: 1,
      bytes: 2 * MIB,
      moved: MIB,
      active: [],
    });
  });

  test('starts again from zero when a transfer is restarted', () => {
    const restarted = new TransferModel();
    restarted.add({ kind: 'started', target: SMALL, from: 'a', to: TO }, 0);
    restarted.add({ kind: 'progress', target: SMALL, bytes: 1000, to: TO }, 10);
    restarted.add({ kind: 'started', target: SMALL, from: 'a', to: TO }, 20);
    expect(restarted.view(30)).toMatchObject({ moved: 0, nodes: 1 });
  });
});
