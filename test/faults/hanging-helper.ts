import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Installs a credential helper that never responds, such as one that waits for a hidden window,
 * into a new folder.
 *
 * @returns the variables of a command whose docker configuration names it for all registries.
 */
export function installHangingHelper(folder: string): Readonly<Record<string, string>> {
  mkdirSync(folder);
  writeFileSync(join(folder, 'config.json'), '{"credsStore":"hanging"}');
  writeFileSync(join(folder, 'docker-credential-hanging'), '#!/bin/sh\nexec sleep 600\n', {
    mode: 0o755,
  });
  return { DOCKER_CONFIG: folder, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
}
