import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { largeLayout, type LargeLayout } from '../../support/images/large-layout.ts';
import { describeReal, isPrivileged, requireTool } from '../../support/programs/real-tools.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';
import { ROOT } from '../../support/root.ts';

const BIN = join(ROOT, 'bin/regi.js');

describeReal('disks that are full or read-only', ['unshare'], () => {
  describe.runIf(isPrivileged)('as root in a namespace', () => {
    let large: LargeLayout;

    beforeAll(async () => {
      large = await largeLayout(4 * 1024 * 1024);
    });

    /**
     * Runs a script of the shell where `$MOUNT` is a folder of its own and `regi` is the built one.
     */
    function inNamespace(script: string, mount = temporaryFolder('mount')): Promise<Finished> {
      const env = {
        PATH: process.env['PATH'] ?? '',
        HOME: temporaryFolder('home'),
        MOUNT: mount,
        NODE: process.execPath,
        BIN,
        LARGE: large.image,
        TINY: tinyLayout(),
      };
      return runProgram(
        requireTool('unshare'),
        ['-m', 'sh', '-c', `regi() { "$NODE" "$BIN" "$@"; }\n${script}`],
        { env },
      );
    }

    test('a copy onto a full disk exits 1 with the reason, and leaves no partial file', async () => {
      const { stdout, stderr } = await inNamespace(`
        mount -t tmpfs -o size=1m tmpfs "$MOUNT"
        regi copy -q "$TINY" "oci:$MOUNT/images:tiny"
        regi copy -q "$LARGE" "oci:$MOUNT/images:large"; echo "status $?"
        find "$MOUNT" -name '.regi*'
        regi verify "oci:$MOUNT/images"; echo "status $?"
        regi copy -q "$TINY" "oci:$MOUNT/images:again"; echo "status $?"`);
      expect(stderr).toMatch(/no space is left on the device/);
      expect(stderr).toMatch(/^ {2}\S/m);
      expect(stdout.match(/^status \d+$/gm)).toEqual(['status 1', 'status 0', 'status 0']);
      expect(stdout).toContain('whole: 1 image');
      expect(stdout).not.toContain('/.regi');
    });

    test('a pull into a local store on a full disk exits 1, and keeps existing images', async () => {
      const { stdout } = await inNamespace(`
        mount -t tmpfs -o size=1m tmpfs "$MOUNT"; export REGI_DATA="$MOUNT"
        regi copy -q "$TINY" local:tiny:1
        regi copy -q "$LARGE" local:large:1; echo "status $?"
        regi images -q | wc -l; regi verify local:; echo "status $?"; regi prune; echo "status $?"
        find "$MOUNT" -name '.regi*'`);
      expect(stdout.match(/^status \d+$/gm)).toEqual(['status 1', 'status 0', 'status 0']);
      expect(stdout).toContain('local: whole: 1 image');
      expect(stdout).not.toContain('/.regi');
    });

    test('a read-only layout can be read, verified, listed and served, and a copy into it exits 1', async () => {
      const mount = temporaryFolder('mount');
      mkdirSync(join(mount, 'images'));
      const { stdout, stderr } = await inNamespace(
        `regi copy -q "$TINY" "oci:$MOUNT/images:docker.io/library/tiny:1"
         mount --bind "$MOUNT" "$MOUNT" && mount -o remount,ro,bind "$MOUNT"
         export REGI_DATA="$MOUNT/images"
         regi images -q | wc -l; echo "status $?"
         regi inspect -q local:tiny:1 >/dev/null; echo "status $?"
         regi verify local: "oci:$MOUNT/images" >/dev/null; echo "status $?"
         regi copy -q "oci:$MOUNT/images" "oci:$HOME/back:1" >/dev/null; echo "status $?"
         "$NODE" "$BIN" serve --read-only --listen 127.0.0.1:0 2>"$HOME/log" & served=$!
         until grep -q listening "$HOME/log"; do kill -0 $served || break; done
         kill $served; wait $served; echo "status $?"
         regi copy -q "$LARGE" "oci:$MOUNT/images:large"; echo "status $?"
         regi rmi tiny:1; echo "status $?"`,
        mount,
      );
      expect(stdout.match(/^status \d+$/gm)).toEqual([
        'status 0',
        'status 0',
        'status 0',
        'status 0',
        'status 0',
        'status 1',
        'status 1',
      ]);
      expect(stdout).toMatch(/^1$/m);
      expect(stderr).toMatch(/read-only/i);
    });
  });
});
