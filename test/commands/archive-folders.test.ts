import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { parseServedPlace } from '../../src/commands/serve/place.ts';
import { encodedOf } from '../../src/oci/digest.ts';
import { makeArtifact, makeImage, makeIndex } from '../support/images/images.ts';
import { localImages, type LocalImages } from '../support/images/local-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const [ONE, TWO, INDEX] = [makeImage({ seed: 1 }), makeImage({ seed: 2 }), makeIndex({ seed: 3 })];
const [SBOM, SIGNATURE] = [makeArtifact({ subject: INDEX.root }), makeImage({ seed: 5 })];

let cwd: string;
let local: LocalImages;

beforeAll(async () => {
  cwd = temporaryFolder('stick');
  local = localImages();
  mkdirSync(join(cwd, 'stick'));
  mkdirSync(join(cwd, 'empty'));
  writeFileSync(join(cwd, 'stick', 'README'), 'no archive');
  await local.keep(ONE, 'debian:12');
  await local.keep(TWO, 'registry.example/team/app:1');
  await local.keep(INDEX, 'registry.example/team/app:2');
  await local.keep(SBOM, 'registry.example/team/app@' + SBOM.root.digest);
  await local.keep(SIGNATURE, `registry.example/team/app:sha256-${encodedOf(TWO.root.digest)}.sig`);
  const save = async (file: string, ...images: readonly string[]): Promise<void> => {
    const { status } = await local.run(['export', ...images, '-o', file], { cwd });
    expect(status).toBe(0);
  };
  await save('stick/a.tar', 'local:debian:12', 'local:registry.example/team/app:1');
  await save('stick/b.tar', 'local:registry.example/team/app:2');
  await save(
    'signed.tar',
    '--referrers',
    'local:debian:12',
    'local:registry.example/team/app:1',
    'local:registry.example/team/app:2',
  );
});

describe('D8: the images of an archive', () => {
  const regi = async (...words: readonly string[]) =>
    local.run(words, { cwd, env: { REGI_DATA: join(cwd, 'none') } });
  const list = async (...words: readonly string[]) => regi('images', ...words);

  test.each(['stick/a.tar', './stick/a.tar', 'archive:stick/a.tar'])(
    'regi images %s lists each with name, tag, id and size',
    async (place) => {
      const { status, io } = await list(place);
      expect(status).toBe(0);
      expect(
        io
          .stdoutText()
          .split('\n')
          .map((line) => line.split(/\s+/).slice(0, 3)),
      ).toEqual([
        ['REPOSITORY', 'TAG', 'IMAGE'],
        ['debian', '12', ONE.config.digest.slice(7, 19)],
        ['registry.example/team/app', '1', TWO.config.digest.slice(7, 19)],
        [''],
      ]);
    },
  );

  test('regi images FOLDER lists the images of every archive in it', async () => {
    const { io } = await list('--format', '{{.Repository}}:{{.Tag}}', './stick');
    expect(io.stdoutText()).toBe(
      'debian:12\nregistry.example/team/app:1\nregistry.example/team/app:2\n',
    );
    const json = await list('--json', './stick');
    expect(JSON.parse(json.io.stdoutText().split('\n')[2] ?? '')).toMatchObject({
      name: 'registry.example/team/app:2',
      digest: INDEX.root.digest,
    });
  });

  const SIGNED = [
    'REPOSITORY TAG PLATFORMS REFERRERS',
    'debian 12 linux/amd64',
    'registry.example/team/app 1 linux/amd64 1',
    'registry.example/team/app 2 linux/amd64 linux/arm64/v8 1',
  ];
  /** Repository, tag, platforms and referrers of each line. */
  const contents = (text: string): readonly string[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
      .map((cells) =>
        [...cells.slice(0, 2), ...cells.slice(-2)]
          .filter((cell) => !/\d B|KiB|SIZE/.test(cell))
          .join(' '),
      );

  test('regi images FILE shows platforms and counts referrers', async () => {
    const { io } = await list('signed.tar');
    expect(contents(io.stdoutText())).toEqual(SIGNED);
  });

  test('regi inspect FILE lists the images of an archive with several', async () => {
    const { status, io } = await regi('inspect', 'signed.tar');
    expect(status).toBe(0);
    expect(contents(io.stdoutText())).toEqual(SIGNED);
    expect(io.stdoutText()).toContain(INDEX.root.digest);
    expect(io.stderrText()).toContain(
      'Found 3 images; to inspect one, type: regi inspect archive:signed.tar:docker.io/library/debian:12',
    );
  });

  test('regi inspect --json FILE prints the rows of regi images', async () => {
    const { io } = await regi('inspect', '--json', 'signed.tar');
    expect(
      io
        .stdoutText()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { name: 'docker.io/library/debian:12', platforms: ['linux/amd64'], referrers: 0 },
      { tag: '1', digest: TWO.root.digest, referrers: 1 },
      { tag: '2', platforms: ['linux/amd64', 'linux/arm64/v8'], referrers: 1 },
    ]);
  });

  test('regi inspect --config FILE still needs one image', async () => {
    expect((await regi('inspect', '--config', 'signed.tar')).status).toBe(2);
  });

  test('regi images of one image of an archive shows the line to type', async () => {
    const { status, io } = await list('./stick/a.tar:debian:12');
    expect([status, io.stderrText()]).toEqual([
      2,
      expect.stringContaining('regi inspect ./stick/a.tar:debian:12'),
    ]);
  });

  test('regi images of a missing archive ends with 3', async () => {
    expect((await list('./gone.tar')).status).toBe(3);
  });

  test('regi images NAME still lists the local store', async () => {
    expect((await local.run(['images', 'debian'], { cwd })).io.stdoutText()).toContain('debian');
  });
});

describe('regi serve FOLDER', () => {
  const options = { memory: false, readOnly: false };

  test('serves every archive of a folder that is no layout', async () => {
    expect(await parseServedPlace(['stick'], options, { cwd })).toEqual({
      kind: 'archives',
      paths: [join(cwd, 'stick', 'a.tar'), join(cwd, 'stick', 'b.tar')],
    });
  });

  test('takes a folder without archives for a layout', async () => {
    expect(await parseServedPlace(['empty'], options, { cwd })).toEqual({
      kind: 'layout',
      path: join(cwd, 'empty'),
      create: false,
    });
  });
});
