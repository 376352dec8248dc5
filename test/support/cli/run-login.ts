import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { main } from '../../../src/main.ts';
import { startFakeRegistry } from '../registries/fake-registry.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from './io.ts';
import { realClock } from '../clock.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export const PASSWORD = 's3cret-canary';
export const BUS = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' };

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly io: FakeIo;
}

export async function regi(argv: readonly string[], options: FakeIoOptions): Promise<Ran> {
  const io = fakeIo({ clock: realClock, ...options });
  const status = await main(argv, io);
  return { status, stdout: io.stdoutText(), stderr: io.stderrText(), io };
}

export function configOf(home: string): unknown {
  try {
    return JSON.parse(readFileSync(join(home, '.docker', 'config.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

export function authOf(username: string, password = PASSWORD): string {
  return Buffer.from(`${username}:${password}`).toString('base64');
}

export async function basicRegistry() {
  const { host } = await startFakeRegistry({ auth: { kind: 'basic', users: { ci: PASSWORD } } });
  return { host, home: temporaryFolder() };
}
