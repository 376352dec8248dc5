import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { runRegi } from '../../support/cli/regi.ts';
import { makeImage } from '../../support/images/images.ts';
import {
  bundleManifest,
  makeBundle,
  makeSigner,
  makeSimplePayload,
  makeSimpleSigning,
  signatureTag,
  simpleManifest,
  type TestSignature,
} from '../../support/images/signatures.ts';
import { describeReal, findTool, isPrivileged } from '../../support/programs/real-tools.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { ROOT } from '../../support/root.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { IDENTITY, ISSUER, makeSigstore, type SignOptions } from '../../support/trust/sigstore.ts';

const image = makeImage({ seed: 3 });
const [signer, sigstore] = [makeSigner(), makeSigstore()];

const DAY_MS = 86_400_000;
const BY_KEY = ['--key', 'cosign.pub'];
const BY_IDENTITY = ['--identity', IDENTITY, '--issuer', ISSUER, '--trusted-root', 'root.json'];

interface Row {
  readonly name: string;
  readonly flags: readonly string[];
  readonly make: () => TestSignature;
  readonly tag?: string;
}

const ROWS: readonly Row[] = [
  { name: 'cosign 3, key', flags: BY_KEY, make: () => makeBundle(image.root, signer) },
  {
    name: 'cosign 2, key',
    flags: BY_KEY,
    make: () => makeSimpleSigning(image.root, signer),
    tag: signatureTag(image.root),
  },
  { name: 'cosign 3, Rekor v1', flags: BY_IDENTITY, make: () => bundle({ rekor: 'v1' }) },
  { name: 'cosign 3, Rekor v2', flags: BY_IDENTITY, make: () => bundle({ rekor: 'v2' }) },
  {
    name: 'cosign 2, Rekor v1',
    flags: BY_IDENTITY,
    make() {
      const payload = makeSimplePayload(image.root.digest);
      return simpleManifest(payload, sigstore.signPayload(payload));
    },
    tag: signatureTag(image.root),
  },
];

function bundle(options: SignOptions): TestSignature {
  const signed = sigstore.signBundle(image.root.digest, options);
  return bundleManifest(Buffer.from(JSON.stringify(signed)), image.root);
}

/** The far side of the gap. Its arguments are the flags that say who has to have signed. */
const FAR_SIDE = `set -eu
ip link set lo up
echo "routes: $(tail -n +2 /proc/net/route | wc -l)"
echo "clock: $("$NODE" -p 'Date.now()')"
"$NODE" "$REGI" serve --memory --listen 127.0.0.1:0 2>serve.log &
trap 'kill $!' EXIT
until grep -q '^listening on' serve.log; do sleep 0.1; done
host=$(sed -n 's|^listening on http://||p' serve.log)
"$NODE" "$REGI" import "$@" signed.tar "$host"
"$NODE" "$REGI" verify --signatures "$@" "$host/app:1"
if "$NODE" "$REGI" import "$@" unsigned.tar "$host/other"; then exit 1; else echo "unsigned: $?"; fi
`;

describeReal('an air gap, three years later', ['unshare', 'faketime', 'ip'], () => {
  test.skipIf(!isPrivileged).each(ROWS.map((row) => [row.name, row] as const))(
    'import verifies and moves an archive without any route: %s',
    async (_, { flags, make, tag }) => {
      const source = await startFakeRegistry();
      const app = source.place.open('app');
      await image.pushAll(app, '1');
      const cwd = temporaryFolder('gap');
      writeFileSync(join(cwd, 'cosign.pub'), signer.pem);
      writeFileSync(join(cwd, 'root.json'), JSON.stringify(sigstore.root));
      writeFileSync(join(cwd, 'far-side.sh'), FAR_SIDE);
      const from = `${source.host}/app:1`;
      expect(await runRegi(['export', from, '-o', 'unsigned.tar'], { cwd })).toMatchObject({
        status: 0,
      });
      await make().pushTo(app, tag);
      const exported = await runRegi(['export', ...flags, from, '-o', 'signed.tar'], { cwd });
      expect(exported, exported.stderr).toMatchObject({ status: 0 });
      await source.stop();

      const result = await inThreeYears(cwd, flags);
      expect(result, result.stderr).toMatchObject({ status: 0 });
      const clock = /^routes: 0\nclock: (?<clock>\d+)$/m.exec(result.stdout)?.groups?.['clock'];
      expect(Number(clock)).toBeGreaterThan(Date.now() + 1000 * DAY_MS);
      expect(result.stdout).toMatch(
        new RegExp(`^signed 127\\.0\\.0\\.1:\\d+/app:1@${image.root.digest}`, 'm'),
      );
      expect(result.stdout).toContain('unsigned: 9\n');
    },
  );
});

/** Runs the far side in a network namespace without a route, with a clock of its own. */
function inThreeYears(cwd: string, flags: readonly string[]): Promise<Finished> {
  const later = [findTool('faketime') ?? '', '-f', '+3y', '/bin/bash', 'far-side.sh', ...flags];
  return runProgram(findTool('unshare') ?? '', ['-n', ...later], {
    cwd,
    env: {
      PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
      HOME: cwd,
      NODE: process.execPath,
      REGI: join(ROOT, 'bin/regi.js'),
      // Waiting has nothing to do with the date.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  });
}
