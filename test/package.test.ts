import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createMemoryPlace, startServer, type RunningServer } from '../src/index.ts';
import { makeIndex } from './support/images/images.ts';
import { runProgram, type Finished } from './support/programs/run-program.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
/** A slow machine may take this long to compile. Milliseconds. */
const TIMEOUT_MS = 120_000;

/** The programs of the page about the library, by the heading that they stand below. */
const EXAMPLES = [
  ...readFileSync(join(ROOT, 'docs', 'library.md'), 'utf8').matchAll(
    /^## (?<title>[^\n]*)\n(?:(?!^## ).)*?^```ts\n(?<program>.*?)^```$/gms,
  ),
].map(({ groups }) => ({ title: groups?.['title'] ?? '', program: groups?.['program'] ?? '' }));

/** What some of them say in the end. */
const SAID: Readonly<Record<string, RegExp>> = {
  'Copy an image': /^copied sha256:[0-9a-f]{64}\n$/,
  'Many at once, with events, until aborted':
    /^(?:.*\n)*backup\/app:1\.4 is sha256:[0-9a-f]{64}\nbackup\/app:2\.0 is sha256:[0-9a-f]{64}\n$/,
  Logins: /^1\.4\n2\.0\n$/,
  'What goes wrong': /^No such tag: Cannot /,
  'Look at images': /^(?:.*\n)*team\/app\n\[ 'linux\/amd64', 'linux\/arm64\/v8' \]/,
  Archives: /\ntrue \d+ \[\]\n$/,
};

let registry: RunningServer;
let project: string;

/** A project beside ours that has regi installed, as `npm pack` would ship it, and a registry with two images. */
beforeAll(async () => {
  const place = createMemoryPlace();
  await makeIndex({ seed: 1 }).pushAll(place.open('team/app'), '1.4');
  await makeIndex({ seed: 2 }).pushAll(place.open('team/app'), '2.0');
  registry = await startServer({ place });
  project = temporaryFolder('project');
  await installPackage(project);
  for (const [at, { program }] of EXAMPLES.entries())
    writeFileSync(join(project, `example-${at}.ts`), located(program));
}, TIMEOUT_MS);

afterAll(() => registry.destroy());

test.each([
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
])(
  'the examples compile in a strict project with moduleResolution $moduleResolution, and so do all types they meet',
  async (resolution) => {
    const strict = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noImplicitReturns: true,
    };
    const { status, stdout } = await compileExamples({
      ...resolution,
      ...strict,
      skipLibCheck: false,
      noEmit: true,
    });
    expect(status, stdout).toBe(0);
  },
  TIMEOUT_MS,
);

describe('what is imported from the package does what the page says', () => {
  beforeAll(async () => {
    const { status, stdout } = await compileExamples({
      module: 'nodenext',
      noCheck: true,
      outDir: 'run',
    });
    expect(status, stdout).toBe(0);
  }, TIMEOUT_MS);

  test.each(EXAMPLES.map(({ title }, at) => [title, at] as const))(
    '%s',
    async (title, at) => {
      const env = { HOME: temporaryFolder('home') };
      const { status, stdout, stderr } = await runProgram(
        process.execPath,
        [join(project, 'run', `example-${at}.js`)],
        { env, timeoutMs: TIMEOUT_MS },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(SAID[title] ?? '');
    },
    TIMEOUT_MS,
  );
});

test('every part of the page about the library that has a program is tested', () => {
  expect(EXAMPLES.map(({ title }) => title)).toEqual(expect.arrayContaining(Object.keys(SAID)));
});

/** With its registry and its folder. */
function located(program: string): string {
  return program
    .replaceAll('registry.example', registry.url.host)
    .replaceAll("'/srv/", `'${temporaryFolder('srv')}/`);
}

/** The package as a program finds it. Of what regi needs, its types may mention Node's own only. */
async function installPackage(folder: string): Promise<void> {
  const installed = join(folder, 'node_modules', 'regi');
  mkdirSync(installed, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'));
  cpSync(join(ROOT, 'dist'), join(installed, 'dist'), {
    recursive: true,
    filter: (path) => path !== join(ROOT, 'dist', 'types'),
  });
  const { status, stdout } = await runProgram(
    process.execPath,
    [join(ROOT, 'scripts', 'types.js'), join(installed, 'dist', 'types', 'index.d.ts')],
    { env: {}, cwd: ROOT },
  );
  expect(status, stdout).toBe(0);
  mkdirSync(join(folder, 'node_modules', '@types'));
  symlinkSync(
    join(ROOT, 'node_modules', '@types', 'node'),
    join(folder, 'node_modules', '@types', 'node'),
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
}

function compileExamples(options: Readonly<Record<string, string | boolean>>): Promise<Finished> {
  const config = `${options['moduleResolution'] ?? 'run'}.json`;
  const compilerOptions = { target: 'es2023', types: ['node'], rootDir: '.', ...options };
  writeFileSync(
    join(project, config),
    JSON.stringify({ compilerOptions, files: EXAMPLES.map((_, at) => `example-${at}.ts`) }),
  );
  return compile(project, ['-p', config]);
}

function compile(cwd: string, args: readonly string[]): Promise<Finished> {
  return runProgram(process.execPath, [TSC, ...args], { env: {}, cwd });
}
