import { stat } from 'node:fs/promises';
import { join } from 'node:path';

/** The address of the D-Bus session, through which the Secret Service is asked; undefined where there is none. */
export async function sessionBus(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const address = env['DBUS_SESSION_BUS_ADDRESS'];
  if (address) return address;
  const runtime = env['XDG_RUNTIME_DIR'];
  if (!runtime) return undefined;
  const socket = join(runtime, 'bus');
  const isThere = await stat(socket).then(
    (found) => found.isSocket(),
    () => false,
  );
  return isThere ? `unix:path=${socket}` : undefined;
}
