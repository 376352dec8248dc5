import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { homeWith } from '../../support/cli/home.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';
import { describeReal, isPrivileged, requireTool } from '../../support/programs/real-tools.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { ROOT } from '../../support/root.ts';

const USER = 'ci';
const PASSWORD = 'correct-horse-canary';

/**
 * Root, and a container, have no XDG_RUNTIME_DIR. podman and skopeo then keep logins below
 * /run/containers. A namespace hides the folder of this machine.
 */
describeReal(
  'C2: logins of root, who has no session',
  ['docker-registry', 'podman', 'skopeo', 'unshare'],
  () => {
    describe.runIf(isPrivileged)('as root in a namespace', () => {
      let host: string;
      beforeAll(async () => {
        ({ host } = await startDockerRegistry({ htpasswd: { user: USER, password: PASSWORD } }));
      });

      /** Runs a script of the shell in which `regi` is the built one. */
      function inNamespace(script: string): Promise<Finished> {
        const env = {
          PATH: process.env['PATH'] ?? '',
          HOME: homeWith(),
          NODE: process.execPath,
          BIN: join(ROOT, 'bin/regi.js'),
          HOST: host,
          LAYOUT: tinyLayout(),
          PASSWORD,
        };
        const setUp = [
          'set -e',
          'mkdir -p /run/containers',
          'mount -t tmpfs tmpfs /run/containers',
          'regi() { "$NODE" "$BIN" "$@"; }',
          'login() { printf %s "$PASSWORD" | "$@" -u ci --password-stdin "$HOST"; }',
          '',
        ].join('\n');
        return runProgram(requireTool('unshare'), ['-m', 'sh', '-c', setUp + script], { env });
      }

      test.each(['podman', 'skopeo'])(
        'regi reads a login of %s, and regi logout removes it there',
        async (tool) => {
          const { status, stdout, stderr } = await inNamespace(`
            login ${tool} login --tls-verify=false >/dev/null
            test -s /run/containers/0/auth.json
            regi copy -q "$LAYOUT" "$HOST/app:1" >/dev/null
            regi auth list
            regi logout "$HOST"
            ${tool} login --get-login "$HOST" || echo gone
            regi digest "$HOST/app:1" || echo "status $?"`);
          expect({ status, stderr }).toMatchObject({ status: 0 });
          expect(stdout).toMatch(new RegExp(`^${host} +ci +/run/containers/0/auth.json +yes`, 'm'));
          expect(stdout).toContain(
            `Removed the login for ${host} from /run/containers/0/auth.json`,
          );
          expect(stdout.trim().split('\n').slice(-2)).toEqual(['gone', 'status 4']);
        },
      );

      test('regi login --authfile writes where podman and skopeo read', async () => {
        const { status, stdout, stderr } = await inNamespace(`
          mkdir -p /run/containers/0
          login regi login --authfile /run/containers/0/auth.json
          podman login --get-login "$HOST"
          skopeo login --get-login "$HOST"`);
        expect({ status, stderr }).toMatchObject({ status: 0 });
        expect(stdout.trim().split('\n').slice(-2)).toEqual([USER, USER]);
      });

      test('regi logout names the login that remains below /run, when another place wins', async () => {
        const { status, stderr } = await inNamespace(`
          login podman login --tls-verify=false >/dev/null
          login regi login
          regi logout "$HOST"
          test -s /run/containers/0/auth.json`);
        expect(status).toBe(0);
        expect(stderr).toContain(
          `Another login for "${host}" remains in /run/containers/0/auth.json`,
        );
      });
    });
  },
);
