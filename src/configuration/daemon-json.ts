import { join } from 'node:path';

import * as z from 'zod/mini';

import { readConfigFile, showPath } from '../disk/config-file.ts';
import { InvalidConfigError } from '../errors.ts';
import { isHostRule } from '../http/hosts.ts';
import { tryParseJson } from '../json.ts';
import { quote } from '../quote.ts';

export interface DaemonJsonOptions {
  readonly home: string;
  readonly warn: (message: string, hint?: string) => void;
  /** A line of `--verbose`. */
  readonly log: (line: string) => void;
  /** `/etc` when absent. */
  readonly systemFolder?: string | undefined;
}

const fileShape = z.object({ 'insecure-registries': z.optional(z.nullable(z.array(z.string()))) });

/**
 * Reads `insecure-registries` of docker's daemon.json, that of the system and that of a rootless
 * docker. The file is not written for regi: an unreadable one is skipped, and a malformed one gets
 * a warning.
 *
 * @see https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
 */
export async function readInsecureRegistries(
  options: DaemonJsonOptions,
): Promise<readonly string[]> {
  const { home, systemFolder = '/etc' } = options;
  const found: string[] = [];
  for (const folder of [systemFolder, join(home, '.config')])
    found.push(...(await readOne(join(folder, 'docker/daemon.json'), options)));
  return found;
}

async function readOne(
  path: string,
  { home, warn, log }: DaemonJsonOptions,
): Promise<readonly string[]> {
  const shown = showPath(path, home);
  try {
    const text = (await readConfigFile(path, shown))?.trim() || '{}';
    const file = fileShape.safeParse(tryParseJson(text));
    if (file.success)
      return (file.data['insecure-registries'] ?? []).flatMap((entry) =>
        checked(entry, shown, warn),
      );
    warn(
      `Cannot use "insecure-registries" of "${shown}": expected a JSON object with a list of texts`,
      'correct it: docker does not start with this file either',
    );
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    log(`${error.message}; it is ignored`);
  }
  return [];
}

function checked(entry: string, shown: string, warn: DaemonJsonOptions['warn']): readonly string[] {
  // docker accepts a scheme, and ignores it.
  const rule = entry.replace(/^https?:\/\//, '').replace(/\/$/, '');
  if (isHostRule(rule, { networks: true })) return [rule];
  warn(
    `Cannot use the insecure registry ${quote(entry)} of "${shown}": expected HOST, HOST:PORT or a network`,
  );
  return [];
}
