import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseSync } from 'oxc-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  createMemoryPlace,
  startServer,
  type MemoryPlace,
  type RunningServer,
  type TagLister,
} from '../src/index.ts';
import { makeArtifact, makeImage, makeIndex } from './support/images/images.ts';
import { runProgram, type Finished } from './support/programs/run-program.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
/** A slow machine may take this long to compile. Milliseconds. */
const TIMEOUT_MS = 120_000;

interface Example {
  /** The heading above it. */
  readonly title: string;
  readonly language: string;
  readonly program: string;
}

/** The programs of the page about the library. */
const EXAMPLES: readonly Example[] = [
  ...readFileSync(join(ROOT, 'docs', 'library.md'), 'utf8').matchAll(
    /^## (?<title>[^\n]*)\n(?:(?!^## ).)*?^```(?<language>c?ts)\n(?<program>.*?)^```$/gms,
  ),
].map(({ groups: { title = '', language = '', program = '' } = {} }) => ({
  title,
  language,
  program,
}));

/** What the output of a program has to match. */
const OUTPUT: Readonly<Record<string, RegExp>> = {
  'Copy an image': /^(?:.*\n)*(\d+) of \1 bytes\ncopied sha256:[0-9a-f]{64}\n$/,
  'Look, attach, untag': /^1\.4\n2\.0\nold\nimage sha256:[0-9a-f]{64}\napplication\/spdx\+json\n$/,
  'Delete old tags': /^deleted pr-1\ndeleted pr-2\n$/,
  'From CommonJS': /^application\/vnd\.oci\.image\.index\.v1\+json\nNOT_FOUND\n$/,
  Errors: /^No such tag: Cannot .*\nRepository names are lower-case: .*; write ".*"\n$/,
  'Stores and places': /^copied sha256:[0-9a-f]{64}\n$/,
  'Many images at once':
    /^(?:.*\n)*backup\/app:1\.4 is sha256:[0-9a-f]{64}\n(?:.*\n)*backup\/app:2\.0 is sha256:[0-9a-f]{64}\n$/,
  Credentials: /^1\.4\n2\.0\n$/,
  Inspect: /^team\/app\n\[ 'linux\/amd64', 'linux\/arm64\/v8' \]/,
  Archives: /\ntrue \d+ \[\]\n$/,
};

/** What a program finds in its registry besides two images of team/app. */
const PREPARE: Readonly<Record<string, (place: MemoryPlace) => Promise<void>>> = {
  async 'Look, attach, untag'(place) {
    await makeIndex({ seed: 2 }).pushAll(place.open('team/app'), 'old');
  },
  async 'Delete old tags'(place) {
    const store = place.open('team/nightly');
    const [lastYear, now] = [new Date(Date.now() - 365 * 86_400_000), new Date()].map((date, at) =>
      makeImage({ seed: at, annotations: { [CREATED]: date.toISOString() } }),
    );
    // One image, which a release and a build of a branch share; another that only a branch names; a
    // new one.
    for (const tag of ['1.0', 'latest', 'pr-1']) await lastYear?.pushAll(store, tag);
    await makeImage({ seed: 9, annotations: { [CREATED]: '2020-01-01T00:00:00Z' } }).pushAll(
      store,
      'pr-2',
    );
    await now?.pushAll(store, 'pr-3');
    await makeArtifact({ seed: 10 }).pushAll(store, 'pr-undated');
  },
};

const CREATED = 'org.opencontainers.image.created';

/** What a program leaves in its registry. */
const CHECK: Readonly<Record<string, (place: MemoryPlace) => Promise<void>>> = {
  async 'Look, attach, untag'(place) {
    expect(await tagsOf(place.open('team/app'))).toEqual(['1.4', '2.0']);
  },
  async 'Delete old tags'(place) {
    const store = place.open('team/nightly');
    const tags = ['1.0', 'latest', 'pr-3', 'pr-undated'];
    expect(await tagsOf(store)).toEqual(tags);
    for (const tag of tags) expect(await store.exists(await store.resolve(tag))).toBe(true);
    const gone = makeImage({ seed: 9, annotations: { [CREATED]: '2020-01-01T00:00:00Z' } });
    expect(await store.exists(gone.root)).toBe(false);
  },
};

/** A registry for each program. */
const places = EXAMPLES.map(() => createMemoryPlace());
let registries: readonly RunningServer[];
let project: string;

/** A project beside ours that has regi installed, as `npm pack` would ship it. */
beforeAll(async () => {
  registries = await Promise.all(places.map((place) => startServer({ place })));
  project = temporaryFolder('project');
  await installPackage(project);
  writeFileSync(join(project, 'sbom.json'), '{}');
  for (const [at, { title, program }] of EXAMPLES.entries()) {
    const place = places[at] ?? createMemoryPlace();
    await makeIndex({ seed: 1 }).pushAll(place.open('team/app'), '1.4');
    await makeIndex({ seed: 2 }).pushAll(place.open('team/app'), '2.0');
    await PREPARE[title]?.(place);
    writeFileSync(join(project, fileOf(at)), located(program, registries[at]?.url.host ?? ''));
  }
}, TIMEOUT_MS);

afterAll(() => Promise.all(registries.map((registry) => registry.destroy())));

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
        [join(project, 'run', fileOf(at).replace(/ts$/, 'js'))],
        { env, cwd: project, timeoutMs: TIMEOUT_MS },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(OUTPUT[title] ?? '');
      await CHECK[title]?.(places[at] ?? createMemoryPlace());
    },
    TIMEOUT_MS,
  );
});

test('every part of the page about the library that has a program is tested', () => {
  expect(EXAMPLES.map(({ title }) => title)).toEqual(expect.arrayContaining(Object.keys(OUTPUT)));
});

test('every public name and every member has a doc comment', () => {
  const path = join(project, 'node_modules', 'regi', 'dist', 'types', 'index.d.ts');
  const { documented, missing } = docComments(readFileSync(path, 'utf8'));
  expect(missing).toEqual([]);
  expect(documented).toBeGreaterThan(400);
});

/**
 * Counts doc comments of exported declarations, and of the members of all interfaces and classes.
 * `kind` only tells the alternatives of a union apart, which have comments of their own.
 */
function docComments(text: string): { documented: number; missing: readonly string[] } {
  const { program, comments } = parseSync('index.d.ts', text);
  const missing: string[] = [];
  let documented = 0;
  const check = (name: string, start: number): void => {
    const comment = comments.findLast(({ end }) => end <= start);
    const isDocumented =
      comment?.value.startsWith('*') === true && text.slice(comment.end, start).trim() === '';
    if (isDocumented) documented += 1;
    else missing.push(name);
  };
  for (const statement of program.body) {
    const isExported = statement.type === 'ExportNamedDeclaration';
    const declaration = isExported ? statement.declaration : statement;
    const name = /(?:interface|class|type|const|function) (\w+)/.exec(
      text.slice(declaration?.start, declaration?.end),
    )?.[1];
    if (name === undefined || declaration === null) continue;
    if (isExported) check(name, statement.start);
    const isShape =
      declaration.type === 'TSInterfaceDeclaration' || declaration.type === 'ClassDeclaration';
    for (const member of isShape ? declaration.body.body : []) {
      const key = /^(?:readonly )?(\w+)/.exec(text.slice(member.start, member.end))?.[1];
      if (key !== undefined && key !== 'constructor' && key !== 'kind')
        check(`${name}.${key}`, member.start);
    }
  }
  return { documented, missing };
}

/** Puts in the registry and the folder that a program uses. */
function located(program: string, host: string): string {
  return program
    .replaceAll('registry.example', host)
    .replaceAll("'/srv/", `'${temporaryFolder('srv')}/`);
}

function fileOf(at: number): string {
  return `example-${at}.${EXAMPLES[at]?.language ?? 'ts'}`;
}

async function tagsOf(store: TagLister): Promise<readonly string[]> {
  const tags: string[] = [];
  for await (const tag of store.listTags()) tags.push(tag);
  return tags.sort();
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
    JSON.stringify({ compilerOptions, files: EXAMPLES.map((_, at) => fileOf(at)) }),
  );
  return compile(project, ['-p', config]);
}

function compile(cwd: string, args: readonly string[]): Promise<Finished> {
  return runProgram(process.execPath, [TSC, ...args], { env: {}, cwd });
}
