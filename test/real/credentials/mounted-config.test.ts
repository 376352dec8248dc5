import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { homeWith } from '../../support/cli/home.ts';
import { describeReal, isPrivileged, requireTool } from '../../support/programs/real-tools.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { ROOT } from '../../support/root.ts';

const BIN = join(ROOT, 'bin/regi.js');
const LOGINS = '{"auths":{"gone.example":{"auth":"YTpi"},"kept.example":{"auth":"YTpi"}}}';

/**
 * What `docker run -v ~/.docker/config.json:/root/.docker/config.json` makes of it: a file that
 * cannot be replaced.
 */
describeReal('a config.json that is a mount of its own', ['unshare'], () => {
  describe.runIf(isPrivileged)('as root in a namespace', () => {
    /**
     * Runs a script of the shell where `$SOURCE` is mounted at `$CONFIG` by `bind`, and `regi` is
     * the built one.
     */
    function inNamespace(script: string, text = LOGINS): Promise<Finished> {
      const home = homeWith({ '.docker/config.json': '{}', 'disk/of-host.json': text });
      const env = {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        DISK: `${home}/disk`,
        SOURCE: `${home}/disk/of-host.json`,
        CONFIG: `${home}/.docker/config.json`,
        NODE: process.execPath,
        BIN,
      };
      const setUp =
        'set -e\nregi() { "$NODE" "$BIN" "$@"; }\nbind() { mount --bind $1 "$SOURCE" "$CONFIG"; }\n';
      return runProgram(requireTool('unshare'), ['-m', 'sh', '-c', setUp + script], { env });
    }

    test('logout removes a login from it', async () => {
      const { status, stdout, stderr } = await inNamespace(
        'bind; chmod 600 "$CONFIG"; regi logout gone.example; cat "$SOURCE"; echo; stat -c %a "$SOURCE"; ls "$HOME/.docker"',
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const [said, ...rest] = stdout.trim().split('\n');
      expect(said).toBe('Removed the login for gone.example from ~/.docker/config.json');
      expect(JSON.parse(rest.slice(0, -2).join('\n'))).toEqual({
        auths: { 'kept.example': { auth: 'YTpi' } },
      });
      expect(rest.slice(-2)).toEqual(['600', 'config.json']);
    });

    test('a read-only one is unchanged, and the error names the reason', async () => {
      const { status, stdout, stderr } = await inNamespace(
        'bind; mount -o remount,bind,ro "$CONFIG"; regi logout gone.example || echo "status $?"; cat "$SOURCE"',
      );
      expect(status).toBe(0);
      expect(stdout).toBe(`status 1\n${LOGINS}`);
      expect(stderr).toContain(
        'Cannot write "~/.docker/config.json": the file system is read-only (EROFS)',
      );
    });

    /** An indented text is longer than this one, and the disk of one page is full with it. */
    test('one on a full disk keeps its logins', async () => {
      const members = Array.from({ length: 220 }, (_, index) => `"h${index}.example":{}`);
      const text = `{"auths":{${members.join(',')},"gone.example":{"auth":"YTpi"}}}`;
      const script = `
        cp "$SOURCE" "$HOME/logins.json"
        mount -t tmpfs -o size=4k tmpfs "$DISK"; cp "$HOME/logins.json" "$SOURCE"; bind
        regi logout gone.example || echo "status $?"
        cmp "$SOURCE" "$HOME/logins.json" && echo same`;
      const { stdout, stderr } = await inNamespace(script, text);
      expect(stdout).toBe('status 1\nsame\n');
      expect(stderr).toContain('no space is left on the device (ENOSPC)');
    });
  });
});
