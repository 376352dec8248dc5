import { isJsonObject } from '../../json.ts';

/** A setting that differs between the configs of two images. */
export interface ConfigChange {
  readonly change: 'added' | 'removed' | 'changed';
  /** The name in the config: `Cmd`, `Env PATH`, `Labels org.example.name`. */
  readonly name: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Members beside `config` that are settings, not layers or dates. */
const OUTER = ['os', 'os.version', 'architecture', 'variant', 'author'];
/** Members whose own members are settings. */
const MAPS: ReadonlySet<string> = new Set(['Labels', 'ExposedPorts', 'Volumes']);

/**
 * Compares the runtime settings of two configs: platform, author and all of `config`, variable by
 * variable and label by label. Ignores dates and layers.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md
 */
export function diffConfigs(before: unknown, after: unknown): readonly ConfigChange[] {
  const [old, now] = [settingsOf(before), settingsOf(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])];
  return names.flatMap((name): readonly ConfigChange[] => {
    const [a, b] = [old.get(name), now.get(name)];
    if (JSON.stringify(a) === JSON.stringify(b)) return [];
    return [
      {
        change: a === undefined ? 'added' : b === undefined ? 'removed' : 'changed',
        name,
        before: a,
        after: b,
      },
    ];
  });
}

function settingsOf(config: unknown): ReadonlyMap<string, unknown> {
  const settings = new Map<string, unknown>();
  if (!isJsonObject(config)) return settings;
  const put = (name: string, value: unknown): void => {
    // Absent, null and empty mean the same, and tools write all three.
    if (!isEmpty(value)) settings.set(name, value);
  };
  for (const name of OUTER) put(name, config[name]);
  const inner = config['config'];
  if (!isJsonObject(inner)) return settings;
  for (const [name, value] of Object.entries(inner)) {
    if (name === 'Env' && Array.isArray(value))
      for (const variable of value) putVariable(settings, variable);
    else if (MAPS.has(name) && isJsonObject(value))
      for (const [key, own] of Object.entries(value))
        settings.set(`${name} ${key}`, isEmpty(own) ? true : own);
    else put(name, value);
  }
  return settings;
}

function putVariable(settings: Map<string, unknown>, variable: unknown): void {
  if (typeof variable !== 'string') return;
  const equals = variable.indexOf('=');
  if (equals < 0) settings.set(`Env ${variable}`, '');
  else settings.set(`Env ${variable.slice(0, equals)}`, variable.slice(equals + 1));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isJsonObject(value) && Object.keys(value).length === 0;
}
