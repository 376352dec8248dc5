import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const MAX_LINES = 400;
const MAX_FILES = 25;

/** From the top down. Imports go to a lower layer, or to the same folder. */
const LAYERS: readonly (readonly string[])[] = [
  ['src/main.ts', 'src/connect.ts', 'src/index.ts'],
  ['src/cli/'],
  ['src/commands/'],
  ['src/sync/'],
  ['src/render/', 'src/targets/'],
  // What a command is and what it is given.
  ['src/command.ts', 'src/context.ts', 'src/io.ts', 'src/option-values.ts'],
  ['src/doctor/', 'src/operations/', 'src/refs/', 'src/server/', 'src/stores/'],
  ['src/trust/'],
  ['src/registry/'],
  // Files that say how hosts are reached; both of the next layer are needed for that.
  ['src/auth/', 'src/configuration/'],
  ['src/credentials/', 'src/http/', 'src/tar/'],
  ['src/disk/'],
  ['src/abortable.ts', 'src/bytes.ts', 'src/store.ts'],
  ['src/oci/'],
  [
    'src/clock.ts',
    'src/concurrency/',
    'src/errors.ts',
    'src/format.ts',
    'src/json.ts',
    'src/limits.ts',
    'src/quote.ts',
    'src/redact.ts',
    'src/styled.ts',
    'src/wildcard.ts',
    'src/shared-cause.ts',
    'src/version.ts',
    'src/yaml.ts',
  ],
];

/** Layers that stand side by side and do not see each other. */
const STRANGERS: readonly (readonly [from: string, to: string])[] = [
  ['src/operations/', 'src/stores/'],
  ['src/operations/', 'src/doctor/'],
  ['src/operations/', 'src/server/'],
  ['src/server/', 'src/stores/'],
  ['src/server/', 'src/operations/'],
  ['src/auth/', 'src/configuration/'],
  ['src/configuration/', 'src/auth/'],
  ['src/credentials/', 'src/http/'],
  ['src/http/', 'src/credentials/'],
  ['src/render/', 'src/targets/'],
  ['src/targets/', 'src/render/'],
];

interface SourceFile {
  /** Such as `src/oci/digest.ts`. */
  readonly path: string;
  readonly text: string;
  /** Files of this repository that it imports; types and lazy imports too. */
  readonly imports: readonly string[];
}

const FILES = readSources();

describe('layers', () => {
  test('every source file belongs to a layer', () => {
    expect(FILES.filter(({ path }) => layerOf(path) < 0).map(({ path }) => path)).toEqual([]);
  });

  test('imports run down only', () => {
    const upward = FILES.flatMap(({ path, imports }) =>
      imports
        .filter((imported) => layerOf(imported) < layerOf(path))
        .map((imported) => `${path} imports ${imported}`),
    );
    expect(upward).toEqual([]);
  });

  test('layers that stand side by side do not see each other', () => {
    const seen = FILES.flatMap(({ path, imports }) =>
      imports
        .filter((imported) =>
          STRANGERS.some(([from, to]) => path.startsWith(from) && imported.startsWith(to)),
        )
        .map((imported) => `${path} imports ${imported}`),
    );
    expect(seen).toEqual([]);
  });

  test('commands are loaded when they run, not when they are listed', () => {
    const listed = FILES.filter(
      ({ path }) => path === 'src/commands/index.ts' || path.startsWith('src/commands/specs/'),
    );
    const eager = listed.flatMap(({ path, text }) =>
      [...text.matchAll(/^import (?!type)[^;]*from '(?<target>[^']+)'/gm)]
        .map((match) => match.groups?.['target'] ?? '')
        .filter((target) => !target.startsWith('./'))
        .map((target) => `${path} imports ${target}`),
    );
    expect(eager).toEqual([]);
  });

  test('there is no cycle of imports, types and lazy imports included', () => {
    expect(findCycle()).toBeUndefined();
  });

  // The library exports stores; everything else asks a place what it can do.
  test('targets alone know which Store a location is', () => {
    const ALLOWED = /^src\/(?:stores\/|targets\/|index\.ts$|connect\.ts$)/;
    const direct = FILES.filter(({ path }) => !ALLOWED.test(path)).flatMap(({ path, imports }) =>
      imports
        .filter((imported) => imported.startsWith('src/stores/'))
        .map((imported) => `${path} imports ${imported}`),
    );
    expect(direct).toEqual([]);
  });
});

describe('files', () => {
  test(`none has more than ${MAX_LINES} lines`, () => {
    expect(
      FILES.filter(({ text }) => text.split('\n').length > MAX_LINES + 1).map(({ path }) => path),
    ).toEqual([]);
  });

  test(`no folder has more than ${MAX_FILES}`, () => {
    const counts = new Map<string, number>();
    for (const { path } of FILES) {
      const folder = posix.dirname(path);
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    }
    expect([...counts].filter(([, count]) => count > MAX_FILES)).toEqual([]);
  });

  // A docker credential helper is a thing and not a lack of a name.
  test('none is named for being useful', () => {
    expect(
      FILES.filter(({ path }) => /(?:^|[/-])(?:utils?|helpers|common|misc)[./-]/.test(path)).map(
        ({ path }) => path,
      ),
    ).toEqual([]);
  });

  test('only bin touches process and console', () => {
    // Names of their own are allowed: a module about processes may call one `process`. The linter
    // knows the scopes.
    const touching = FILES.filter(({ text }) =>
      /(?<![\w.'`"-])(?:console\.\w|process\.(?:argv|cwd|env|exit|nextTick|on|platform|std(?:in|out|err))\b)/.test(
        withoutComments(text),
      ),
    ).map(({ path }) => path);
    expect(touching).toEqual([]);
  });
});

function layerOf(path: string): number {
  return LAYERS.findIndex((layer) =>
    layer.some((member) => (member.endsWith('/') ? path.startsWith(member) : path === member)),
  );
}

function readSources(): readonly SourceFile[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .map((path) => {
      const text = readFileSync(join(ROOT, path), 'utf8');
      return { path, text, imports: importsOf(path, text) };
    });
}

function importsOf(path: string, text: string): readonly string[] {
  const code = withoutComments(text);
  const statements = code.matchAll(/^(?:import|export)\s[^;]*?\sfrom\s+'(?<target>\.[^']*)'/gms);
  const lazy = code.matchAll(/\bimport\('(?<target>\.[^']*)'\)/g);
  return [...statements, ...lazy].map(({ groups }) =>
    posix.join(posix.dirname(path), groups?.['target'] ?? ''),
  );
}

function withoutComments(text: string): string {
  return text.replace(/\/\*.*?\*\//gs, '').replace(/^\s*\/\/.*$/gm, '');
}

function findCycle(): string | undefined {
  const byPath = new Map(FILES.map((file) => [file.path, file]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path].join(' → ');
    if (done.has(path)) return undefined;
    for (const imported of byPath.get(path)?.imports ?? []) {
      const cycle = visit(imported, [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  return FILES.map(({ path }) => visit(path, [])).find((cycle) => cycle !== undefined);
}
