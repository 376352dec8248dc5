import type { CommandSpec, OptionSpec } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';

/** Flags of other tools with the flag of regi that does the same; an empty one is left out. */
interface OtherFlag {
  /** Applies only to commands with this option. */
  readonly needs?: string | undefined;
  /** Applies only to commands of this name. */
  readonly command?: string | undefined;
  /** Takes a value. */
  readonly hasValue?: boolean | undefined;
  readonly becomes: (value: string) => readonly string[];
}

const DROPPED: OtherFlag = { becomes: () => [] };
const WHOLE_INDEX: OtherFlag = { needs: 'platform', becomes: () => [] };
const JOBS: OtherFlag = { hasValue: true, becomes: (count) => ['--concurrency', count] };
const REFERRERS: OtherFlag = { needs: 'referrers', becomes: () => ['--referrers'] };
const FILE_FIRST: OtherFlag = { command: 'import', hasValue: true, becomes: (file) => [file] };
const REMOTE: OtherFlag = { command: 'verify', hasValue: true, becomes: (image) => [image] };
const PORT: OtherFlag = {
  command: 'serve',
  hasValue: true,
  becomes: (port) => ['--listen', `127.0.0.1:${port}`],
};

const FLAGS: Readonly<Record<string, OtherFlag>> = {
  '--all': WHOLE_INDEX,
  '--multi-arch': { ...WHOLE_INDEX, hasValue: true },
  '--preserve-digests': DROPPED,
  '-j': JOBS,
  '--jobs': JOBS,
  '--retry-times': { hasValue: true, becomes: (count) => ['--retry', count] },
  '--override-arch': {
    needs: 'platform',
    hasValue: true,
    becomes: (architecture) => ['--platform', architecture],
  },
  '-r': REFERRERS,
  '--recursive': REFERRERS,
  '--digest-tags': REFERRERS,
  '-i': FILE_FIRST,
  '--input': FILE_FIRST,
  '--remote': REMOTE,
  '--port': PORT,
  '-p': PORT,
};

/** The sides of a command whose registries a flag of another tool means. */
const UNVERIFIED: Readonly<Record<string, 'all' | 'first' | 'last'>> = {
  '--tls-verify': 'all',
  '--insecure': 'all',
  '--allow-insecure': 'all',
  '--src-tls-verify': 'first',
  '--from-insecure': 'first',
  '--dest-tls-verify': 'last',
  '--to-insecure': 'last',
};

/**
 * Translates flags of docker, crane, skopeo, regctl and oras into those of regi. Flags that the
 * command has itself stay. Flags against verification become `--insecure-registry` of the
 * registries that the command line names, and of no other.
 *
 * @param words the words after the name of the command.
 */
export function translateFlags(spec: CommandSpec, words: readonly string[]): readonly string[] {
  const options: readonly OptionSpec[] = [...spec.options, ...GLOBAL_OPTIONS];
  const own = new Map<string, OptionSpec>(
    options.flatMap((option) => [
      [`--${option.name}`, option] as const,
      ...(option.short === undefined ? [] : [[`-${option.short}`, option] as const]),
    ]),
  );
  const [translated, unverified]: [string[], ('all' | 'first' | 'last')[]] = [[], []];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      translated.push(word, ...rest);
      break;
    }
    const [name, attached] = split(word);
    const known = own.get(name);
    if (known !== undefined || !name.startsWith('-')) {
      translated.push(word);
      const value = known?.value === undefined || attached !== undefined ? undefined : rest.shift();
      if (value !== undefined) translated.push(value);
      continue;
    }
    const side = valueIn(UNVERIFIED, name);
    if (side !== undefined) {
      const isVerified = name.endsWith('tls-verify') ? attached !== 'false' : attached === 'false';
      if (!isVerified) unverified.push(side);
      continue;
    }
    const other = valueIn(FLAGS, name);
    if (other === undefined || !applies(other, spec, own)) {
      translated.push(word);
      continue;
    }
    const value = other.hasValue === true ? (attached ?? rest.shift()) : attached;
    if (other.hasValue === true && value === undefined) {
      translated.push(word);
      continue;
    }
    if (other.hasValue !== true && value !== undefined && !/^(?:true|false)$/.test(value)) {
      translated.push(word);
      continue;
    }
    if (value !== 'false') translated.push(...other.becomes(value ?? ''));
  }
  if (unverified.length === 0) return translated;
  const hosts = hostsOf(positionalsOf(translated, own), unverified, spec);
  if (hosts.length === 0)
    throw new UsageError(
      `Cannot skip verification in "regi ${spec.name}": no argument names its registry`,
      { hint: 'name the host: --tls-skip-verify HOST[:PORT], or --plain-http HOST[:PORT]' },
    );
  return [...hosts.flatMap((host) => ['--insecure-registry', host]), ...translated];
}

function split(word: string): readonly [string, string | undefined] {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function valueIn<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function applies(
  { needs, command }: OtherFlag,
  spec: CommandSpec,
  own: ReadonlyMap<string, OptionSpec>,
): boolean {
  return (
    (needs === undefined || own.has(`--${needs}`)) &&
    (command === undefined || command === spec.name)
  );
}

function positionalsOf(
  words: readonly string[],
  own: ReadonlyMap<string, OptionSpec>,
): readonly string[] {
  const positionals: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') return [...positionals, ...rest];
    const [name, attached] = split(word);
    if (!name.startsWith('-') || name === '-') positionals.push(word);
    else if (own.get(name)?.value !== undefined && attached === undefined) rest.shift();
  }
  return positionals;
}

function hostsOf(
  positionals: readonly string[],
  sides: readonly ('all' | 'first' | 'last')[],
  { arguments: [argument] }: CommandSpec,
): readonly string[] {
  const words = positionals.filter(
    (_, at) =>
      sides.includes('all') ||
      (sides.includes('first') && at === 0) ||
      (sides.includes('last') && at === positionals.length - 1),
  );
  const isRegistry = argument?.name === 'REGISTRY';
  return [...new Set(words.flatMap((word) => hostOf(word, isRegistry) ?? []))];
}

/** Returns the registry that a word names; undefined for paths, and for images of Docker Hub. */
function hostOf(word: string, isRegistry: boolean): string | undefined {
  if (/^(?:oci|dir|local|(?:docker-|oci-)?archive):/.test(word)) return undefined;
  const bare = word.replace(/^(?:docker|https?):\/\//, '');
  const [first = '', ...path] = bare.split('/');
  if (path.length === 0 && !isRegistry) return undefined;
  return first === 'localhost' || /[.:]/.test(first) ? first : undefined;
}
