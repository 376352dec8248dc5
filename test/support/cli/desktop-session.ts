import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterFile } from '../cleanup.ts';
import { startBound } from '../programs/daemon.ts';
import { requireTool } from '../programs/real-tools.ts';
import { endProcessesOf, type Running, runOrThrow } from '../programs/run-program.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/**
 * How long an ignored prompt hangs, in ms: longer than any test waits, and then it ends by itself.
 */
export const PROMPT_MS = 60_000;

export interface DesktopSessionOptions {
  /** The home with the keyring's file; that of an earlier session has its entries. */
  readonly home: string;
  /**
   * `none`: a bus without a Secret Service. `locked`: the password of the keyring was not entered.
   */
  readonly keyring: 'unlocked' | 'locked' | 'none';
  /** The unlock prompt: fails as without a display, or hangs as an ignored window does. */
  readonly prompt?: 'fails' | 'hangs' | undefined;
}

export interface DesktopSession {
  /** The environment of programs in the session, including HOME. */
  readonly env: Readonly<Record<string, string>>;
  /** Lists the entries of regi in the keyring with their secrets, as another program sees them. */
  search(): Promise<string>;
  /** Ends the bus and the keyring. Also called after the last test of the file. */
  stop(): Promise<void>;
}

/** Starts a D-Bus session with a real gnome-keyring, without a display. */
export async function startDesktopSession({
  home,
  keyring,
  prompt = 'fails',
}: DesktopSessionOptions): Promise<DesktopSession> {
  const runtime = temporaryFolder('runtime');
  if (prompt === 'hangs')
    replaceService(
      runtime,
      'org.gnome.keyring.SystemPrompter',
      `/bin/sh -c "exec sleep ${PROMPT_MS / 1000} >/dev/null 2>&1"`,
    );
  if (keyring === 'none') replaceService(runtime, 'org.freedesktop.secrets', '/bin/false');
  const base = { PATH: process.env['PATH'] ?? '', HOME: home, XDG_RUNTIME_DIR: runtime };
  const bus = startBound(
    requireTool('dbus-daemon'),
    ['--session', '--nofork', '--nosyslog', '--print-address'],
    { env: base },
  );
  const stop = async (): Promise<void> => {
    bus.process.kill('SIGTERM');
    await bus.finished;
    // The keyring and the prompter run in the background, and the keyring writes to its home.
    await endProcessesOf(`XDG_RUNTIME_DIR=${runtime}`);
  };
  afterFile(stop);
  const env = { ...base, DBUS_SESSION_BUS_ADDRESS: await firstLine(bus) };
  if (keyring !== 'none') {
    const mode = keyring === 'unlocked' ? '--unlock' : '--start';
    // It becomes a daemon when it is ready, and must not keep our pipes open.
    const command = `"$0" ${mode} --components=secrets >/dev/null 2>&1`;
    await runOrThrow('/bin/sh', ['-c', command, requireTool('gnome-keyring-daemon')], {
      env,
      input: 'password of the keyring',
    });
  }
  return {
    env,
    stop,
    search: () =>
      runOrThrow(
        '/bin/sh',
        ['-c', '"$0" search --all service regi 2>&1', requireTool('secret-tool')],
        { env },
      ),
  };
}

/** Replaces an installed D-Bus service: a service file in the runtime folder has priority. */
function replaceService(runtime: string, name: string, command: string): void {
  const folder = join(runtime, 'dbus-1', 'services');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, `${name}.service`),
    `[D-BUS Service]\nName=${name}\nExec=${command}\n`,
  );
}

function firstLine({ process: child, output, finished }: Running): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const end = output.stdout.indexOf('\n');
      if (end >= 0) resolve(output.stdout.slice(0, end));
    };
    child.stdout.on('data', look);
    void finished.then(
      ({ stderr }) => reject(new Error(`Cannot start dbus-daemon:\n${stderr}`)),
      reject,
    );
    look();
  });
}
