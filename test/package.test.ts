import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, expect, test } from 'vitest';

import { runOrThrow, runProgram } from './support/run-program.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
/** A slow machine may take this long to compile. Milliseconds. */
const TIMEOUT_MS = 120_000;

const USE = `
import { copyImages, createMemoryPlace, createMemoryStore, parseReference, type CopyEvent, type Reference } from 'regi';

const reference: Reference = parseReference('registry.example/team/app:1.0');
const seen: CopyEvent['kind'][] = [];
const options = { onEvent: (event: CopyEvent) => void seen.push(event.kind), keepGoing: true };
const jobs = [{ source: createMemoryStore(), reference: '1.0', destination: createMemoryPlace('there').open(reference.path), image: 'app' }];
try {
  for await (const copied of copyImages(jobs, options)) console.log(copied.root.digest);
} catch (error) {
  console.log(error instanceof Error ? error.name : 'other', seen.join());
}
`;

let project: string;

/** A project beside ours that has regi installed, as \`npm pack\` would ship it. */
beforeAll(async () => {
  project = temporaryFolder('project');
  const installed = join(project, 'node_modules', 'regi');
  mkdirSync(installed, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
  cpSync(join(ROOT, 'dist'), join(installed, 'dist'), { recursive: true, filter: (path) => path !== join(ROOT, 'dist', 'types') });
  const { status, stdout } = await compile(ROOT, ['-p', 'tsconfig.types.json', '--outDir', join(installed, 'dist', 'types')]);
  expect(status, stdout).toBe(0);
  mkdirSync(join(project, 'node_modules', '@types'));
  for (const name of ['undici', 'zod', '@types/node']) symlinkSync(join(ROOT, 'node_modules', name), join(project, 'node_modules', name));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(project, 'use.ts'), USE);
}, TIMEOUT_MS);

test.each([
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
])(
  'a strict project compiles with moduleResolution $moduleResolution',
  async (compilerOptions) => {
    const config = `${compilerOptions.moduleResolution}.json`;
    const strict = { target: 'es2023', strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, types: ['node'] };
    const all = { ...strict, skipLibCheck: false, outDir: compilerOptions.moduleResolution, ...compilerOptions };
    writeFileSync(join(project, config), JSON.stringify({ compilerOptions: all, files: ['use.ts'] }));
    const { status, stdout } = await compile(project, ['-p', config]);
    expect(status, stdout).toBe(0);
  },
  TIMEOUT_MS,
);

test(
  'a program runs what it imports from the package',
  async () => {
    const { status, stdout } = await compile(project, [
      'use.ts',
      '--ignoreConfig',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--types',
      'node',
      '--outDir',
      'run',
    ]);
    expect(status, stdout).toBe(0);
    expect(await runOrThrow(process.execPath, [join(project, 'run', 'use.js')], { env: {} })).toBe('PartialFailureError failed\n');
  },
  TIMEOUT_MS,
);

function compile(cwd: string, args: readonly string[]): ReturnType<typeof runProgram> {
  return runProgram(process.execPath, [TSC, ...args], { env: {}, cwd });
}
