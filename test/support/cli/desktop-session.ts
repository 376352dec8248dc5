import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterFile } from '../cleanup.ts';
import { startBound } from '../programs/daemon.ts';
import { requireTool } from '../programs/real-tools.ts';
import { endProcessesOf, type Running, runOrThrow } from '../programs/run-program.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** How long a prompt hangs at which nobody looks: longer than any test waits in vain, and gone by itself soon after. Milliseconds. */
export const PROMPT_MS = 60_000;

export interface DesktopSessionOptions {
  /** Where the keyring's file is; that of an earlier session to find its entries again. */
  readonly home: string;
  /** `none`: the bus is there, and no Secret Service can be started. `locked`: nobody has typed the keyring's password. */
  readonly keyring: 'unlocked' | 'locked' | 'none';
  /** What shows the unlock prompt: fails as without a display, or hangs as when nobody looks at it. */
  readonly prompt?: 'fails' | 'hangs' | undefined;
}

export interface DesktopSession {
  /** What a program needs to be part of it, HOME included. */
  readonly env: Readonly<Record<string, string>>;
  /** Everything in the keyring that is regi's, as another program sees it, secrets included. */
  search(): Promise<string>;
  /** Ends the bus, and with it the keyring. Called by itself after the last test of the file. */
  stop(): Promise<void>;
}

/** A D-Bus session with a real gnome-keyring, of which no display and no person is part. */
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
    base,
  );
  const stop = async (): Promise<void> => {
    bus.process.kill('SIGTERM');
    await bus.finished;
    // The keyring and the prompter went into the background, and the keyring writes to its home.
    await endProcessesOf(`XDG_RUNTIME_DIR=${runtime}`);
  };
  afterFile(stop);
  const env = { ...base, DBUS_SESSION_BUS_ADDRESS: await firstLine(bus) };
  if (keyring !== 'none') {
    const mode = keyring === 'unlocked' ? '--unlock' : '--start';
    // It goes into the background when it is ready, and must not take our pipes with it.
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

/** D-Bus starts what a service file in the runtime folder names, rather than what is installed. */
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
