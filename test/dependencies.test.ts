import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const LOCK = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

const PACKAGES = Object.entries(LOCK.packages).filter(([path]) => path !== '');

test('every package is locked to one content', () => {
  expect(
    PACKAGES.filter(
      ([, { version, integrity }]) =>
        version === undefined || integrity?.startsWith('sha512-') !== true,
    ).map(([path]) => path),
  ).toEqual([]);
});

test('D22: the lock has every package that another one names, bindings of other platforms too', () => {
  const missing = PACKAGES.flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !placesFor(path, name).some((place) => place in LOCK.packages))
      .map((name) => `${path} needs ${name}`),
  );
  expect(missing).toEqual([]);
});

test('D22: CI installs from the lock alone', () => {
  const script = readFileSync(join(ROOT, '.ci', 'run'), 'utf8');
  expect(script).toMatch(/^ *npm ci /m);
  expect(script).not.toMatch(/npm (?:i|install)\b/);
});

test('no package that is installed with regi runs a script of its own', () => {
  expect(
    PACKAGES.filter(
      ([, { dev, hasInstallScript }]) => dev !== true && hasInstallScript === true,
    ).map(([path]) => path),
  ).toEqual([]);
});

test('no package that is in dist/ runs a script of its own, and regi is installed with none but the one that is native', () => {
  expect(
    bundledPackages().filter(
      (name) => LOCK.packages[`node_modules/${name}`]?.hasInstallScript === true,
    ),
  ).toEqual([]);
  const { dependencies = {}, optionalDependencies = {} } = LOCK.packages[''] ?? {};
  expect(Object.keys({ ...dependencies, ...optionalDependencies })).toEqual(['@napi-rs/keyring']);
});

test('the build writes the licence of each package that is in dist/', () => {
  const notices = readFileSync(join(ROOT, 'dist', 'THIRD-PARTY-LICENSES.txt'), 'utf8');
  const [, ...sections] = notices.split(/^={80}\n(?=\S)/m);
  const licences = sections.map((section) => section.split(/\n={80}\n/));
  expect(licences.map(([name]) => name)).toEqual(bundledPackages());
  for (const [, text] of licences) expect(text).toMatch(/copyright|license/i);
});

/** Lists where Node looks for a package, from the folder of the one that needs it upwards. */
function placesFor(path: string, name: string): readonly string[] {
  const parents = path.split('/node_modules/');
  const inside = parents.map(
    (_, at) => `${parents.slice(0, at + 1).join('/node_modules/')}/node_modules/${name}`,
  );
  return [`node_modules/${name}`, ...inside];
}

/** Returns the package of an imported path: two segments where the first is a scope. */
function packageOf(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}

/** What the sources import, and what that depends on. */
function bundledPackages(): readonly string[] {
  const found = new Set<string>();
  const add = (name: string, by = ''): void => {
    // A package whose version another one does not want is inside of that one.
    const [inside, beside] = [`${by}/node_modules/${name}`, `node_modules/${name}`];
    const path = LOCK.packages[inside] === undefined ? beside : inside;
    if (found.has(path)) return;
    found.add(path);
    for (const dependency of Object.keys(LOCK.packages[path]?.dependencies ?? {}))
      add(dependency, path);
  };
  for (const file of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
    const imports = readFileSync(join(ROOT, 'src', file), 'utf8').matchAll(
      /^(?:import|export) [^;]*? from '(?<static>[^.'][^']*)'|\bimport\('(?<lazy>[^.'][^']*)'\)/gm,
    );
    for (const { groups } of imports) {
      const path = groups?.['static'] ?? groups?.['lazy'] ?? '';
      if (!path.startsWith('node:') && path !== '@napi-rs/keyring') add(packageOf(path));
    }
  }
  return [...new Set([...found].map((path) => path.replace(/.*node_modules\//, '')))].sort();
}
