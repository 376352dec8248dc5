import { join } from 'node:path';

import { readConfigFile, showPath } from '../disk/config-file.ts';
import { InvalidConfigError } from '../errors.ts';
import { isHostRule } from '../http/hosts.ts';
import { printable } from '../redact.ts';

export interface DaemonJsonOptions {
  readonly home: string;
  readonly warn: (message: string, hint?: string) => void;
  /** A line of `--verbose`. */
  readonly log: (line: string) => void;
  /** `/etc` when absent. */
  readonly systemFolder?: string | undefined;
}

/**
 * Reads `insecure-registries` of docker's daemon.json, that of the system and that of a rootless docker. It is not written for regi: one that
 * may not be read is passed over, and one that is malformed gets a warning.
 *
 * @see https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
 */
export async function readInsecureRegistries(
  options: DaemonJsonOptions,
): Promise<readonly string[]> {
  const { home, systemFolder = '/etc' } = options;
  const found: string[] = [];
  for (const path of [
    join(systemFolder, 'docker/daemon.json'),
    join(home, '.config/docker/daemon.json'),
  ]) {
    found.push(...(await readOne(path, options)));
  }
  return found;
}

async function readOne(
  path: string,
  { home, warn, log }: DaemonJsonOptions,
): Promise<readonly string[]> {
  const shown = showPath(path, home);
  try {
    const text = await readConfigFile(path, shown);
    if (text === undefined || text.trim() === '') return [];
    return insecureOf(text).flatMap((entry) => checked(entry, shown, warn));
  } catch (error) {
    if (error instanceof InvalidConfigError) log(`${error.message}; it is ignored`);
    else if (error instanceof MalformedError)
      warn(
        `Cannot use "insecure-registries" of "${shown}": ${error.message}`,
        'docker does not start with it either: correct it',
      );
    else throw error;
    return [];
  }
}

class MalformedError extends Error {}

function insecureOf(text: string): readonly string[] {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    throw new MalformedError('expected JSON');
  }
  if (typeof config !== 'object' || config === null)
    throw new MalformedError('expected a JSON object');
  const list: unknown = Reflect.get(config, 'insecure-registries') ?? [];
  if (!Array.isArray(list) || !list.every((entry) => typeof entry === 'string'))
    throw new MalformedError('expected a list of texts');
  return list;
}

function checked(entry: string, shown: string, warn: DaemonJsonOptions['warn']): readonly string[] {
  // docker takes a scheme, and forgets it.
  const rule = entry.replace(/^https?:\/\//, '').replace(/\/$/, '');
  if (isHostRule(rule, { networks: true })) return [rule];
  warn(
    `Cannot use the insecure registry "${printable(entry, 160)}" of "${shown}": expected HOST, HOST:PORT or a network`,
  );
  return [];
}
