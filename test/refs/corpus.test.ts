import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { describe, expect, test } from 'vitest';

import { findInText, formatOf } from '../../src/refs/find-in-text.ts';
import { lineAndColumn } from '../../src/refs/position.ts';
import { parseEnvFile } from '../../src/refs/variables.ts';

const CORPUS = join(import.meta.dirname, 'corpus');

const FILES = readdirSync(CORPUS, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.expect'))
  .map((entry) => join(entry.parentPath, entry.name).replace(/\.expect$/, ''))
  .map((path) => relative(CORPUS, path).replaceAll('\\', '/'))
  .toSorted();

describe('the corpus', () => {
  test('has at least 80 files, a third of them traps', () => {
    expect(FILES.length).toBeGreaterThanOrEqual(80);
    expect(FILES.filter((path) => path.startsWith('traps/')).length * 3).toBeGreaterThanOrEqual(
      FILES.length,
    );
  });

  test.each(FILES)('%s: finds what its labels say', async (path) => {
    expect(await found(path)).toEqual(expected(path));
  });

  test('recall of exact and structured is 100 %, precision 100 % and at least 95 %', async () => {
    const wanted = FILES.flatMap((path) => expected(path).map((line) => `${path} ${line}`));
    const got: string[] = [];
    for (const path of FILES) got.push(...(await found(path)).map((line) => `${path} ${line}`));
    const numbers = (level: string): { readonly recall: number; readonly precision: number } => {
      const labels = wanted.filter((line) => line.split(' ')[2] === level);
      const findings = got.filter((line) => line.split(' ')[2] === level);
      const right = findings.filter((line) => labels.includes(line)).length;
      return { recall: right / labels.length, precision: right / findings.length };
    };
    const exact = numbers('exact');
    const structured = numbers('structured');
    const guess = numbers('guess');
    // The figures of docs/reference/refs.md.
    process.stdout.write(
      `refs corpus: ${JSON.stringify({ files: FILES.length, exact, structured, guess })}\n`,
    );
    expect(exact).toEqual({ recall: 1, precision: 1 });
    expect(structured.recall).toBe(1);
    expect(structured.precision).toBeGreaterThanOrEqual(0.95);
  });
});

function expected(path: string): readonly string[] {
  return readFileSync(join(CORPUS, `${path}.expect`), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

async function found(path: string): Promise<readonly string[]> {
  const format = formatOf(path);
  if (format === undefined) return [];
  const text = readFileSync(join(CORPUS, path), 'utf8');
  const beside = (name: string): string | undefined => {
    const file = join(CORPUS, dirname(path), name);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };
  const environment = beside('.env');
  const result = await findInText(path, text, format, {
    appVersion: /^appVersion: "?(?<version>[^"\n]+)/m.exec(beside('Chart.yaml') ?? '')?.groups?.[
      'version'
    ],
    ...(environment !== undefined && { environment: parseEnvFile(environment) }),
  });
  if (result.kind === 'unread') return [];
  const place = (at: number): string => {
    const { line, column } = lineAndColumn(text, at);
    return `${line}:${column}`;
  };
  return [
    ...result.findings.found.map(({ at, level, kind, reference }) => ({
      at,
      line: `${place(at)} ${level} ${kind} ${reference}`,
    })),
    ...result.findings.unresolved.map(({ at, variables }) => ({
      at,
      line: `${place(at)} unresolved ${variables.join(',')}`,
    })),
  ]
    .toSorted((one, other) => one.at - other.at)
    .map(({ line }) => line);
}
