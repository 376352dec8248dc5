import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { test } from 'vitest';

import { expectGolden } from '../support/golden.ts';
import type { CloudFacts } from './cloud-contract.ts';

const FOLDER = fileURLToPath(new URL('../golden/registries/', import.meta.url));

/** The order of the page; a system that is not named here comes last. */
const ORDER = [
  'docker-hub',
  'ecr-private',
  'ecr-public',
  'acr',
  'artifact-registry',
  'gcr',
  'harbor',
  'artifactory',
  'gitlab',
  'ghcr',
  'github-packages',
  'github-enterprise',
  'quay',
  'distribution',
];

const COLUMNS = [
  'login',
  'push, pull, copy',
  'mount',
  'list tags',
  'delete tag',
  'delete digest',
  'catalog',
  'referrers',
  'skopeo',
];

// Made of what the tests of each emulation found, not by hand: they compare their part with the same files.
test('docs/registries.md says what the tests of the emulations found', () => {
  expectGolden('docs/registries.md', pageOf(readFacts()));
});

function readFacts(): readonly CloudFacts[] {
  const names = existsSync(FOLDER)
    ? readdirSync(FOLDER).map((file) => file.replace(/\.json$/, ''))
    : [];
  const place = (name: string): number =>
    ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length;
  return names
    .toSorted((a, b) => place(a) - place(b))
    .map((name) => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as CloudFacts);
}

function pageOf(systems: readonly CloudFacts[]): string {
  return `# Registries that regi was tested with

No vendor's service is reached by the tests. Each is emulated under its real name from what its documentation, its source or its users say;
Debian's skopeo passes the emulation first, then regi does. \`docker-registry\` of Debian and regi's own server are tested as they are. This page
is made of what these tests found (\`UPDATE_GOLDEN=1 npx vitest run test/emulations\`, twice).

A wrong password ends with status 4 on each of them, and the message says which credential was refused, and from where. \`regi doctor\` finds its way
through each. A number is the status that the registry answers with.

| system | ${COLUMNS.join(' | ')} |
|---|${COLUMNS.map(() => '---|').join('')}
${systems.map(rowOf).join('\n')}

*Mount*: a copy inside the registry moves no bytes. *Referrers*: whether signatures and the like are listed by the registry (API) or by a tag that
regi keeps. *Catalog*: \`regi repos list\`.

## Users and limits

${systems.map(sectionOf).join('\n\n')}

## Keychains

| place | state |
|---|---|
| Secret Service (gnome-keyring) on Linux | tested, unlocked and locked, and by podman and skopeo through \`docker-credential-regi\` |
| macOS Keychain | not verified: the same call, never run by us |
| Windows Credential Manager | not verified: the same call, never run by us; what is longer than an entry, 2,560 bytes, is kept in parts, tested without Windows |

[credentials.md](credentials.md) says where logins come from, and where they go.
`;
}

function rowOf({ title, works }: CloudFacts): string {
  return `| ${title} | ${COLUMNS.map((column) => works[column] ?? '').join(' | ')} |`;
}

function sectionOf({ title, registry, users, limits }: CloudFacts): string {
  return [
    `**${title}** (\`${registry}\`), logged in as ${users.map((user) => `\`${user}\``).join(', ')}`,
    '',
    ...limits.map((text) => `- ${text}`),
  ]
    .join('\n')
    .trimEnd();
}
