import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { describePeer, peerClient } from '../../support/programs/peers.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { makeFixture, regi, type Fixture } from './fixture.ts';

let fixture: Fixture;
let app: string;

beforeAll(async () => {
  fixture = await makeFixture();
  app = `${fixture.host}/team/app`;
});

describePeer('crane', 'sid', ['crane'], () => {
  const crane = peerClient('sid', 'crane');

  test('finds, validates, lists and copies what regi serve has', async () => {
    expect(await crane.run('digest', '--insecure', `${app}:1`)).toBe(fixture.image.root.digest);
    expect(await crane.run('ls', '--insecure', app)).toBe('1\namd64');
    await crane.run('validate', '--insecure', '--remote', `${app}:1`);
    await crane.run('copy', '--insecure', `${app}:1`, `${fixture.host}/crane/copy:1`);
    expect(await regi('digest', `${fixture.host}/crane/copy:1`)).toBe(fixture.image.root.digest);
  });

  test('push reads a layout and an archive of regi', async () => {
    const folder = temporaryFolder('crane');
    await regi('pull', `${app}:amd64`, '-o', `${folder}/layout/`);
    await regi('export', `${app}:amd64`, '-o', join(folder, 'app.tar'));
    const pushed = `${fixture.host}/crane/push`;
    await crane.run('push', '--insecure', join(folder, 'layout'), `${pushed}:layout`);
    await crane.run('push', '--insecure', join(folder, 'app.tar'), `${pushed}:archive`);
    expect(await regi('digest', `${pushed}:layout`)).toBe(fixture.amd64.root.digest);
    expect(JSON.parse(await regi('manifest', 'get', `${pushed}:archive`))).toMatchObject({
      config: { digest: fixture.amd64.config.digest },
    });
  });

  test('regi reads the layout and the archive of crane pull', async () => {
    const folder = temporaryFolder('crane');
    await crane.run('pull', '--insecure', '--format=oci', `${app}:1`, join(folder, 'layout'));
    await crane.run('pull', '--insecure', `${app}:amd64`, join(folder, 'app.tar'));
    expect(await regi('digest', `oci:${folder}/layout`)).toBe(fixture.image.root.digest);
    await regi('push', join(folder, 'app.tar'), `${fixture.host}/crane/archive:1`);
    expect(
      JSON.parse(await regi('manifest', 'get', `${fixture.host}/crane/archive:1`)),
    ).toMatchObject({ config: { digest: fixture.amd64.config.digest } });
  });
});

describePeer('oras', 'sid', ['oras'], () => {
  const oras = peerClient('sid', 'oras');

  test('copies an index from regi serve to a layout and back', async () => {
    const layout = `${temporaryFolder('oras')}/layout`;
    await oras.run('copy', '--from-plain-http', '--to-oci-layout', `${app}:1`, `${layout}:1`);
    expect(await regi('digest', `oci:${layout}:1`)).toBe(fixture.image.root.digest);
    const back = `${fixture.host}/oras/back:1`;
    await oras.run('copy', '--from-oci-layout', '--to-plain-http', `${fixture.layout}:1`, back);
    expect(await regi('digest', back)).toBe(fixture.image.root.digest);
  });

  test('discover finds what regi attach attached, and regi what oras attach attached', async () => {
    const image = `${fixture.host}/oras/referrers:1`;
    await regi('copy', `${app}:1`, image);
    const file = join(fixture.layout, 'oci-layout');
    await regi('attach', file, '--to', image, '--type', 'application/vnd.example.regi');
    await oras.run(
      'attach',
      '--plain-http',
      '--disable-path-validation',
      '--artifact-type',
      'application/vnd.example.oras',
      image,
      file,
    );
    const found = JSON.parse(
      await oras.run('discover', '--plain-http', '--format', 'json', image),
    ) as { readonly referrers: readonly { readonly artifactType: string }[] };
    const types = ['application/vnd.example.oras', 'application/vnd.example.regi'];
    expect(found.referrers.map(({ artifactType }) => artifactType).toSorted()).toEqual(types);
    const listed = await regi('referrers', image);
    for (const type of types) expect(listed).toContain(type);
  });
});

describePeer('skopeo', 'sid', ['skopeo'], () => {
  const skopeo = peerClient('sid', 'skopeo');

  test('copies an index from regi serve to a layout and back', async () => {
    const layout = `oci:${temporaryFolder('skopeo')}/layout:1`;
    await skopeo.run('copy', '--all', '--src-tls-verify=false', `docker://${app}:1`, layout);
    expect(await regi('digest', layout)).toBe(fixture.image.root.digest);
    const back = `${fixture.host}/skopeo/back:1`;
    await skopeo.run('copy', '--all', '--dest-tls-verify=false', layout, `docker://${back}`);
    expect(await regi('digest', back)).toBe(fixture.image.root.digest);
  });

  test('reads an archive of regi export as oci-archive and as docker-archive', async () => {
    const folder = temporaryFolder('skopeo');
    await regi('export', `${app}:amd64`, '-o', join(folder, 'app.tar'));
    for (const kind of ['oci-archive', 'docker-archive']) {
      const { config } = JSON.parse(
        await skopeo.run('inspect', '--raw', `${kind}:${folder}/app.tar`),
      ) as { readonly config: { readonly digest: string } };
      expect(config.digest, kind).toBe(fixture.amd64.config.digest);
    }
  });

  test('regi reads the archives of skopeo copy', async () => {
    const folder = temporaryFolder('skopeo');
    for (const kind of ['oci-archive', 'docker-archive']) {
      const archive = join(folder, `${kind}.tar`);
      await skopeo.run(
        'copy',
        '--src-tls-verify=false',
        `docker://${app}:amd64`,
        `${kind}:${archive}:a/b:1`,
      );
      await regi('push', archive, `${fixture.host}/skopeo/${kind}:1`);
      expect(
        JSON.parse(await regi('manifest', 'get', `${fixture.host}/skopeo/${kind}:1`)),
        kind,
      ).toMatchObject({ config: { digest: fixture.amd64.config.digest } });
    }
  });
});

describePeer('umoci', 'sid', ['umoci'], () => {
  const umoci = peerClient('sid', 'umoci');

  test('reads a layout of regi, and regi reads one of umoci', async () => {
    const folder = temporaryFolder('umoci');
    await regi('pull', `${app}:amd64`, '-o', `${folder}/layout/`);
    expect(await umoci.run('list', '--layout', join(folder, 'layout'))).toBe('amd64');
    await umoci.run('init', '--layout', join(folder, 'new'));
    await umoci.run('new', '--image', `${folder}/new:1`);
    await regi('push', `oci:${folder}/new:1`, `${fixture.host}/umoci/new:1`);
    expect(await regi('tags', 'list', `${fixture.host}/umoci/new`)).toBe('1');
  });
});

describePeer('cosign', 'sid', ['cosign'], () => {
  test('verifies a signature that regi copied with its image', async () => {
    const key = join(temporaryFolder('cosign'), 'key');
    const cosign = peerClient('sid', 'cosign', [], { COSIGN_PASSWORD: '', COSIGN_YES: 'true' });
    await cosign.run('generate-key-pair', '--output-key-prefix', key);
    const signed = `${fixture.host}/cosign/app`;
    await regi('copy', `${app}:1`, `${signed}:1`);
    await cosign.run(
      'sign',
      '--key',
      `${key}.key`,
      '--allow-insecure-registry',
      '--allow-http-registry',
      '--use-signing-config=false',
      '--tlog-upload=false',
      `${signed}@${fixture.image.root.digest}`,
    );
    const copied = `${fixture.host}/cosign/copied:1`;
    await regi('copy', '--referrers', `${signed}:1`, copied);
    await cosign.run(
      'verify',
      '--key',
      `${key}.pub`,
      '--allow-insecure-registry',
      '--allow-http-registry',
      '--insecure-ignore-tlog',
      copied,
    );
  });
});
