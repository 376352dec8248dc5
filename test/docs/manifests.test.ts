import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGES = ['docs/sync.md'];
const HAS_KUBECTL = spawnSync('kubectl', ['version', '--client']).status === 0;

/** The Kubernetes objects that a page shows. */
function manifestsOf(page: string): readonly (readonly [kind: string, object: object])[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```yaml\n(?<yaml>.*?)^```$/gms)]
    .flatMap(({ groups }) => parseAllDocuments(groups?.['yaml'] ?? ''))
    .map((document) => document.toJS() as { readonly apiVersion?: string; readonly kind?: string })
    .flatMap((object) =>
      object.apiVersion === undefined ? [] : [[`${page}: ${object.kind}`, object] as const],
    );
}

/**
 * kubectl drops fields that the types of Kubernetes lack, and refuses values of another type. No
 * server is asked.
 */
function throughKubectl(object: object): unknown {
  const args = ['set', 'env', '--local', '-f', '-', '-o', 'json', 'REGI_TEST=1'];
  const run = spawnSync('kubectl', args, {
    input: JSON.stringify(object),
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', KUBECONFIG: '/dev/null' },
  });
  expect(run.status, run.stderr).toBe(0);
  return JSON.parse(run.stdout);
}

describe(`manifests in the pages${HAS_KUBECTL ? '' : ' (missing here: kubectl)'}`, () => {
  test.skipIf(!HAS_KUBECTL).each(PAGES.flatMap((page) => manifestsOf(page)))(
    '%s has fields that Kubernetes knows',
    (_, object) => {
      const known = throughKubectl(object);
      const [{ env = [], ...container } = { env: [] }] = containersOf(object);
      const [found = {}] = containersOf(known);
      expect(found).toMatchObject(container);
      for (const variable of env) expect(found.env).toContainEqual(variable);
      expect(known).toMatchObject(withoutContainers(object) as object);
    },
  );

  test('are found', () => {
    expect(PAGES.flatMap((page) => manifestsOf(page)).length).toBeGreaterThan(1);
  });
});

interface Container {
  readonly env?: readonly object[];
}

function containersOf(value: unknown): readonly Container[] {
  if (typeof value !== 'object' || value === null) return [];
  const { containers } = value as { readonly containers?: unknown };
  if (Array.isArray(containers)) return containers as readonly Container[];
  return Object.values(value).flatMap((below) => containersOf(below));
}

function withoutContainers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'containers')
      .map(([key, below]) => [key, withoutContainers(below)]),
  );
}
