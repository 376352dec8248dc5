import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { expectGolden } from '../support/golden.ts';
import type { CloudFacts } from './cloud-contract.ts';

const FOLDER = fileURLToPath(new URL('../golden/registries/', import.meta.url));

/**
 * How to log in to each system, in the order of the table. Users and hosts are those that its
 * emulation accepts.
 */
const LOGINS: Readonly<Record<string, readonly string[]>> = {
  'docker-hub': ['regi login -u somebody --password-stdin docker.io < token.txt'],
  'ecr-private': [
    'aws ecr get-login-password --region eu-central-1 |',
    '    regi login -u AWS --password-stdin 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
  ],
  'ecr-public': [
    'aws ecr-public get-login-password --region us-east-1 |',
    '    regi login -u AWS --password-stdin public.ecr.aws',
  ],
  acr: [
    'az acr login --name myregistry --expose-token --query accessToken --output tsv |',
    '    regi login -u 00000000-0000-0000-0000-000000000000 --password-stdin myregistry.azurecr.io',
  ],
  'artifact-registry': [
    'gcloud auth print-access-token |',
    '    regi login -u oauth2accesstoken --password-stdin europe-docker.pkg.dev',
  ],
  gcr: [
    'gcloud auth print-access-token |',
    '    regi login -u oauth2accesstoken --password-stdin gcr.io',
  ],
  harbor: ["regi login -u 'robot$ci' --password-stdin harbor.corp.example < token.txt"],
  artifactory: ['regi login -u ci@corp.example --password-stdin corp.jfrog.io < token.txt'],
  nexus: ['regi login -u deployer --password-stdin nexus.corp.example:5001 < token.txt'],
  zot: ['regi login -u ci --password-stdin zot.corp.example < token.txt'],
  gitlab: [
    'regi login -u gitlab-ci-token --password-stdin registry.gitlab.com <<< "$CI_JOB_TOKEN"',
  ],
  ghcr: ['regi login -u octocat --password-stdin ghcr.io < token.txt'],
  'github-packages': ['regi login -u octocat --password-stdin docker.pkg.github.com < token.txt'],
  'github-enterprise': [
    'regi login -u octocat --password-stdin docker.github.corp.example < token.txt',
  ],
  quay: ["regi login -u 'ns+robot' --password-stdin quay.io < token.txt"],
  distribution: [
    'regi login -u ci --password-stdin --plain-http registry.local:5000 \\',
    '    registry.local:5000 < token.txt',
  ],
};

/** The facts of the table, and what each means on the page of a registry. */
const COLUMNS = [
  ['login', 'log in with `regi login`'],
  ['push, pull, copy', 'push, pull and copy'],
  ['mount', 'copy inside the registry without moving bytes'],
  ['list tags', 'list tags'],
  ['delete tag', 'delete one tag with `regi tags delete`'],
  ['delete digest', 'delete an image with `regi delete`'],
  ['catalog', 'list repositories with `regi repos list`'],
  ['referrers', 'find signatures and SBOMs'],
  ['skopeo', 'skopeo passes the same tests'],
] as const;

// Made from the facts that the tests of each emulation found: they compare theirs with the same
// files.
test('docs/registries.md has a row for every system that was emulated', () => {
  expectGolden('docs/registries.md', tableOf(readFacts()));
});

test.each(Object.keys(LOGINS))('docs/registries/%s.md says what the emulation found', (name) => {
  expectGolden(`docs/registries/${name}.md`, pageOf(name, factsOf(name)));
});

test('every emulated system has a page, and every page an emulated system', () => {
  const systems = readdirSync(FOLDER).map((file) => file.replace(/\.json$/, ''));
  expect(Object.keys(LOGINS).toSorted()).toEqual(systems.toSorted());
});

test.each(Object.entries(LOGINS))(
  'the login of %s is one that its emulation accepts',
  (name, lines) => {
    const { users, registry } = factsOf(name);
    const words = lines.join(' ').replaceAll("'", '').split(/\s+/);
    expect(users).toContain(words[words.indexOf('-u') + 1]);
    expect(words).toContain(registry);
  },
);

function readFacts(): readonly (readonly [name: string, facts: CloudFacts])[] {
  return Object.keys(LOGINS).map((name) => [name, factsOf(name)]);
}

function factsOf(name: string): CloudFacts {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as CloudFacts;
}

function tableOf(systems: readonly (readonly [name: string, facts: CloudFacts])[]): string {
  return `# Registries

What works with which registry. The name of a registry leads to its page: how to log in, and its limits.

| registry | ${COLUMNS.map(([column]) => column).join(' | ')} |
|---|${COLUMNS.map(() => '---|').join('')}
${systems.map(rowOf).join('\n')}

- A number in parentheses is the HTTP status that the registry returns.
- *Mount*: a copy inside the registry moves no bytes.
- *Referrers*: "API" if the registry lists signatures and SBOMs itself, "by tag" if regi keeps the list in a tag.
- *Catalog*: whether \`regi repos list\` works.
- *skopeo*: whether Debian's skopeo passes the same tests.

A wrong password ends with status 4 everywhere. The message says which credential was refused and where it is stored.
\`regi doctor\` works with every registry of the table.

## How this was tested

No test reaches a vendor's service. Each registry is emulated under its real name, from its documentation, its source
or reports of its users. Skopeo has to pass an emulation before regi does. Debian's \`docker-registry\` and \`regi serve\`
are tested as they are. The tests of the emulations write this page and the page of each registry.

## Keychains

| keychain | state |
|---|---|
| Secret Service (gnome-keyring) on Linux | tested, locked and unlocked, also from podman and skopeo through \`docker-credential-regi\` |
| macOS Keychain | not verified: the same library call, never run there |
| Windows Credential Manager | not verified; secrets over 2,560 bytes are split, which is tested without Windows |

[Logins](credentials.md) says where logins are read from and stored.
`;
}

function rowOf([name, { title, works }]: readonly [name: string, facts: CloudFacts]): string {
  const cells = COLUMNS.map(([column]) => works[column] ?? '');
  return `| [${title}](registries/${name}.md) | ${cells.join(' | ')} |`;
}

function pageOf(name: string, { title, registry, users, works, limits }: CloudFacts): string {
  const facts = COLUMNS.map(([column, meaning]) => `| ${meaning} | ${works[column] ?? ''} |`);
  const known = users.map((user) => `\`${user}\``).join(', ');
  return `# ${title}

Host: \`${registry}\`. [All registries](../registries.md) compares it with others.

## Log in

\`\`\`console
$ ${(LOGINS[name] ?? []).join('\n')}
\`\`\`

Tested ${users.length === 1 ? 'user name' : 'user names'}: ${known}. If the login fails, see
[Find out why a login fails](../recipes/find-out-why-a-login-fails.md).

## What works

| | |
|---|---|
${facts.join('\n')}
${limits.length === 0 ? '' : `\n## Limits, and what regi does\n\n${limits.map((text) => `- ${text}`).join('\n')}\n`}`;
}
