import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

const LOCK = JSON.parse(readFileSync(fileURLToPath(new URL('../package-lock.json', import.meta.url)), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

const PACKAGES = Object.entries(LOCK.packages).filter(([path]) => path !== '');

test('every package is locked to one content', () => {
  expect(PACKAGES.filter(([, { version, integrity }]) => version === undefined || integrity?.startsWith('sha512-') !== true).map(([path]) => path)).toEqual([]);
});

test('no package that is installed with regi runs a script of its own', () => {
  expect(PACKAGES.filter(([, { dev, hasInstallScript }]) => dev !== true && hasInstallScript === true).map(([path]) => path)).toEqual([]);
});
