import { describe, expect, test } from 'vitest';

import { fromGoRegex, fromMasterminds } from '../../src/sync/doors/go.ts';
import { fromRegsync } from '../../src/sync/doors/regsync.ts';
import { fromSkopeo } from '../../src/sync/doors/skopeo.ts';
import { parseSyncFile } from '../../src/sync/file/file.ts';
import { tagFilter } from '../../src/operations/tags/select-tags.ts';
import { expectGolden } from '../support/golden.ts';

/** Each field that the documentation of regsync has. */
const REGSYNC = `
x-nightly: &nightly "30 02 * * *"
version: 1
creds:
  - registry: mirror.example:5000
    tls: disabled
    reqConcurrent: 4
  - registry: docker.io
    user: "{{env \\"HUB_LOGIN\\"}}"
    pass: "{{file \\"/run/secrets/hub\\"}}"
  - registry: self-signed.example
    tls: insecure
    regcert: |
      -----BEGIN CERTIFICATE-----
defaults:
  ratelimit: { min: 100, retry: 15m }
  parallel: 2
  interval: 60m
  backup: "old-{{.Ref.Tag}}"
sync:
  - source: busybox:latest
    target: mirror.example:5000/library/busybox:latest
    type: image
    schedule: *nightly
  - source: alpine
    target: mirror.example:5000/library/alpine
    type: repository
    tags:
      allow: [latest, edge, "3", "3.\\\\d+", "a|b", "(?i)RELEASE.*"]
      deny: ["3.0"]
  - source: quay.io/team/app
    target: mirror.example:5000/team/app
    type: repository
    platforms: [linux/amd64, linux/arm64]
    referrers: true
    tagSets:
      - semverRange: [">=1.2, <2"]
      - allow: [nightly]
  - source: registry.example
    target: mirror.example:5000
    type: registry
  - source: quay.io/team/one
    target: mirror.example:5000/team/one
    type: repository
    platform: linux/amd64
    tags: { allow: ["\\\\p{L}+"] }
    mediaTypes: [application/vnd.oci.image.manifest.v1+json]
  - source: "{{.Sync.Target}}"
    target: mirror.example:5000/team/two
    type: repository
`;

/** Each field that the manual of skopeo sync has. */
const SKOPEO = `
registry.example:
  images:
    team/all: []
    team/some:
      - "1.0"
      - "2.0"
      - "sha256:${'0'.repeat(63)}1"
  images-by-tag-regex:
    web: ^1\\.27\\.[12]-alpine$
    odd: (?U)a+
  images-by-semver:
    db: ">= 14.0, < 16"
  credentials: { username: jane, password: hunter2 }
  tls-verify: true
  cert-dir: /home/jane/certs
quay.io:
  tls-verify: false
  images:
    team/etcd: [latest]
`;

const OPTIONS = {
  name: 'converted',
  env: { MIRROR: 'mirror.example/m', HUB_LOGIN: 'jane' },
  host: { os: 'linux', architecture: 'amd64' },
};

describe('files of other tools', () => {
  test.each([
    ['regsync', fromRegsync, REGSYNC],
    ['skopeo', fromSkopeo, SKOPEO],
  ])('%s becomes a file that regi reads, without secrets', async (name, convert, text) => {
    const converted = await convert(text, '"other.yaml"');
    expectGolden(`test/golden/sync/from-${name}.yaml`, converted);
    expect(converted).not.toMatch(/hunter2|run\/secrets/);
    const { entries } = await parseSyncFile(converted, OPTIONS);
    expect(entries.length).toBeGreaterThan(4);
    expect(await convert('images: []\nsync: []\n', 'x').catch(String)).not.toContain('undefined');
  });

  test.each(['', '- a', 'a: b: c', '*none'])('%j is no file of them', async (text) => {
    for (const convert of [fromRegsync, fromSkopeo])
      await expect(convert(text, 'x')).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });
});

describe('patterns of Go', () => {
  test.each([
    ['^3.\\d+$', ['3.1', '3x12'], ['3.', '13.1']],
    // No group: the first anchor belongs to one alternative, the second to the other.
    ['^a|b$', ['abc', 'xb'], ['xa', 'bx']],
    ['^(?i)release$', ['RELEASE', 'release'], ['releases']],
    ['(?i)rc', ['1-RC1'], ['1']],
    ['(?P<major>\\d+)-[[:alpha:]]+', ['1-a'], ['1-']],
    ['\\Av1\\z', ['v1'], ['v11']],
  ])('the regular expression %s', (text, taken, left) => {
    const converted = fromGoRegex(text);
    if (!('pattern' in converted)) throw new Error(converted.problem);
    const accepts = tagFilter([converted.pattern]);
    expect([...taken, ...left].filter((tag) => accepts(tag))).toEqual(taken);
  });

  test.each(['(?U)a', '\\pL', 'a(?i)b', '\\Qa\\E', '(?<'])(
    'the regular expression %s is not converted',
    (text) => {
      expect(fromGoRegex(text)).toHaveProperty('problem');
    },
  );

  test.each([
    ['>=1.0, <2.0', '>=1.0 <2.0'],
    ['>= 1.2, < 3.0.0 || >= 4.2.3', '>=1.2 <3.0.0 || >=4.2.3'],
    ['1.2.x', '=1.2.x'],
    ['~1.2', '~1.2'],
    ['^2', '^2'],
    ['*', '>=0.0.0'],
    ['1.2 - 1.4.5', '1.2 - 1.4.5'],
  ])('the versions %s are %s', (text, pattern) => {
    expect(fromMasterminds(text)).toEqual({ pattern });
  });

  test.each(['!=1.2', 'not a version'])('the versions %s are not converted', (text) => {
    expect(fromMasterminds(text)).toHaveProperty('problem');
  });
});
