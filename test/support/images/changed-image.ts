import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { requireTool } from '../programs/real-tools.ts';
import { runOrThrow } from '../programs/run-program.ts';
import { buildTar, type TarMember } from './tar-builder.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/**
 * Layers on top, each a shell script in the unpacked image: removals, replacements, links, and
 * folders that reappear.
 */
const STEPS = [
  `mkdir -p opt/changed/gone/deep opt/changed/opaque
   echo one > opt/changed/replaced; echo old > opt/changed/gone/deep/file; echo old > opt/changed/opaque/old
   echo first > opt/changed/first; ln opt/changed/first opt/changed/second; ln -s first opt/changed/symbolic; ln -s /etc opt/changed/absolute; ln -s /opt/changed opt/by-link
   mkfifo opt/changed/pipe; mknod opt/changed/device c 1 3; mkdir -m 1777 opt/changed/sticky; chmod 4755 opt/changed/replaced`,
  `rm -rf opt/changed/gone opt/changed/opaque; mkdir opt/changed/opaque; echo new > opt/changed/opaque/new
   rm opt/changed/replaced; mkdir opt/changed/was-file; echo two > opt/changed/replaced; rm -f etc/motd
   rm opt/changed/first; rm -rf usr/share/doc; chmod 0700 opt/changed/sticky; touch -d @1700000000 opt/changed opt/changed/opaque/new`,
  `mkdir -p opt/changed/gone; echo back > opt/changed/gone/file; rm opt/changed/symbolic; mkdir opt/changed/symbolic; echo x > opt/changed/symbolic/x
   rm -rf opt/changed/was-file; echo file > opt/changed/was-file; chown 1000:2000 opt/changed/was-file; ln opt/changed/second opt/changed/third`,
];

/**
 * A layer that `umoci repack` never writes: an opaque folder, among names inside it and beside it.
 */
const OPAQUE: readonly TarMember[] = [
  { name: 'opt/changed/hidden', content: 'beside' },
  { name: 'opt/changed/opaque/before', content: 'before the mark' },
  { name: 'opt/changed/opaque/.wh..wh..opq' },
  { name: 'opt/changed/opaque/after', content: 'behind the mark' },
  { name: 'opt/changed/.wh.gone' },
  { name: 'opt/changed/opaque/link', typeflag: '1', link: 'opt/changed/opaque/before' },
];

/**
 * Adds layers to the image `oci:FOLDER:TAG` with `umoci repack`, and tags it `changed` in a new
 * layout. Needs root.
 */
export async function changedImage(image: string): Promise<string> {
  const folder = temporaryFolder('changed');
  const layout = join(folder, 'layout');
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder };
  mkdirSync(join(folder, '.config', 'containers'), { recursive: true });
  writeFileSync(
    join(folder, '.config', 'containers', 'policy.json'),
    '{"default":[{"type":"insecureAcceptAnything"}]}',
  );
  await runOrThrow(requireTool('skopeo'), ['copy', '--quiet', image, `oci:${layout}:changed`], {
    env,
  });
  const bundle = join(folder, 'bundle');
  await runOrThrow(requireTool('umoci'), ['unpack', '--image', `${layout}:changed`, bundle], {
    env,
  });
  for (const step of STEPS) {
    await runOrThrow('/bin/sh', ['-ec', step], { env, cwd: join(bundle, 'rootfs') });
    await runOrThrow(
      requireTool('umoci'),
      ['repack', '--refresh-bundle', '--image', `${layout}:changed`, bundle],
      { env },
    );
  }
  const tar = join(folder, 'opaque.tar');
  writeFileSync(tar, buildTar(OPAQUE));
  await runOrThrow(
    requireTool('umoci'),
    ['raw', 'add-layer', '--image', `${layout}:changed`, tar],
    { env },
  );
  return `oci:${layout}:changed`;
}
