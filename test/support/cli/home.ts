import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { main } from '../../../src/main.ts';
import { fakeIo } from './io.ts';
import { lookupLoopback } from '../http/transport.ts';
import { realClock } from '../clock.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface HomeOptions {
  readonly home?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Creates a home folder with these files: path → content. */
export function homeWith(files: Readonly<Record<string, string>> = {}): string {
  const home = temporaryFolder('home');
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), content);
  }
  return home;
}

/**
 * Runs regi in this process, where every name resolves to 127.0.0.1 and only files in `home`
 * configure regi.
 */
export async function regiAtHome(
  args: readonly string[],
  { home = homeWith(), env = {} }: HomeOptions = {},
): Promise<Answer> {
  const io = fakeIo({
    home,
    env: { CONTAINERS_REGISTRIES_CONF_DIR: home, ...env },
    cwd: home,
    clock: realClock,
    lookup: lookupLoopback,
  });
  const status = await main(args, io);
  return { status, stdout: io.stdoutText(), stderr: io.stderrText() };
}
