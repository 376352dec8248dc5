import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { afterFile } from '../../support/cleanup.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { describeReal, isPrivileged, requireTool } from '../../support/programs/real-tools.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';
import { ROOT } from '../../support/root.ts';

const NAME = 'registry.local:5000';
const BIN = join(ROOT, 'bin/regi.js');

/** In a mount namespace of its own the hosts file is another. */
const ENTER = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';

describeReal(
  'a registry on the LAN, by its name over plain http',
  ['docker-registry', 'skopeo', 'unshare'],
  () => {
    describe.runIf(isPrivileged)('as root in a namespace', () => {
      let hosts = '';

      beforeAll(async () => {
        const { host } = await startDockerRegistry();
        const address = await forward(host);
        hosts = join(temporaryFolder('hosts'), 'hosts');
        writeFileSync(hosts, `127.0.0.1 localhost\n${address} registry.local\n`);
      });

      function run(
        program: string,
        args: readonly string[],
        home = temporaryFolder('home'),
      ): Promise<Finished> {
        const env = { PATH: process.env['PATH'] ?? '', HOME: home, XDG_RUNTIME_DIR: home };
        return runProgram(
          requireTool('unshare'),
          ['-m', 'sh', '-c', ENTER, 'sh', hosts, program, ...args],
          { env },
        );
      }

      function regi(args: readonly string[], home?: string): Promise<Finished> {
        return run(process.execPath, [BIN, ...args], home);
      }

      function homeWithDaemonJson(): string {
        const home = temporaryFolder('home');
        mkdirSync(join(home, '.config', 'docker'), { recursive: true });
        writeFileSync(
          join(home, '.config', 'docker', 'daemon.json'),
          JSON.stringify({ 'insecure-registries': [NAME] }),
        );
        return home;
      }

      test('is copied to and from where the daemon.json of docker names it insecure', async () => {
        const home = homeWithDaemonJson();
        const copied = await regi(['copy', tinyLayout(), `${NAME}/team/app:1`], home);
        expect(copied, copied.stderr).toMatchObject({
          status: 0,
          stdout: expect.stringMatching(
            /^registry\.local:5000\/team\/app:1@sha256:[0-9a-f]{64}\n$/,
          ),
        });
        const layout = join(temporaryFolder('out'), 'layout');
        expect(await regi(['copy', `${NAME}/team/app:1`, `oci:${layout}:1`], home)).toMatchObject({
          status: 0,
        });
        const seen = await run(requireTool('skopeo'), [
          '--insecure-policy',
          'inspect',
          '--raw',
          '--tls-verify=false',
          `docker://${NAME}/team/app:1`,
        ]);
        expect(seen.status).toBe(0);
      });

      test('is refused with a hint when no configuration names it', async () => {
        const refused = await regi(['digest', `${NAME}/team/app:1`]);
        expect(refused.status).toBe(5);
        expect(refused.stderr).toContain(`--plain-http ${NAME}`);
        expect(await regi(['digest', '--plain-http', NAME, `${NAME}/team/app:1`])).toMatchObject({
          status: 0,
        });
        expect(
          await regi(['digest', '--insecure-registry', NAME, `${NAME}/team/app:1`]),
        ).toMatchObject({ status: 0 });
      });
    });
  },
);

/** Port 5000 of a loopback address of its own, because that port is often taken. */
async function forward(host: string): Promise<string> {
  const [name = '', port] = host.split(':');
  const server = createServer((socket) => {
    const through = connect(Number(port), name);
    socket.pipe(through).pipe(socket);
    socket.on('error', () => through.destroy());
    through.on('error', () => socket.destroy());
  });
  const address = `127.${2 + (process.pid % 250)}.77.${1 + Math.floor(Math.random() * 250)}`;
  server.listen(5000, address);
  await once(server, 'listening');
  afterFile(async () => void server.close());
  return address;
}
