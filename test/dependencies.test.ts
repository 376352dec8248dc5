import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { expectGolden } from './support/golden.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
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
  expect(Object.keys(LOCK.packages['']?.dependencies ?? {})).toEqual(['@napi-rs/keyring']);
});

test('THIRD-PARTY-LICENSES.txt has the licence of each package that is in dist/', () => {
  expectGolden(
    'THIRD-PARTY-LICENSES.txt',
    `The files in dist/ contain these packages.\n${bundledPackages().map(licenceOf).join('')}`,
  );
});

/** What the sources import, and what that depends on. */
function bundledPackages(): readonly string[] {
  const found = new Set<string>();
  const add = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const dependency of Object.keys(LOCK.packages[`node_modules/${name}`]?.dependencies ?? {}))
      add(dependency);
  };
  for (const file of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
    const imports = readFileSync(join(ROOT, 'src', file), 'utf8').matchAll(
      /^(?:import|export) .* from '(?<static>[^.'][^']*)'|\bimport\('(?<lazy>[^.'][^']*)'\)/gm,
    );
    for (const { groups } of imports) {
      const path = groups?.['static'] ?? groups?.['lazy'] ?? '';
      if (!path.startsWith('node:') && path !== '@napi-rs/keyring') add(path.split('/')[0] ?? '');
    }
  }
  return [...found].sort();
}

function licenceOf(name: string): string {
  const folder = join(ROOT, 'node_modules', name);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(?:\.\w+)?$/i.test(entry));
  if (file === undefined) throw new Error(`No licence in ${folder}`);
  const text = readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim();
  return `\n${'='.repeat(80)}\n${name}\n${'='.repeat(80)}\n\n${text}\n`;
}
