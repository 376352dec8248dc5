import { RegiError } from '../errors.ts';
import { defined } from '../json.ts';
import type { Platform } from './descriptor.ts';
import { quote } from '../quote.ts';

/** A text that does not parse as a platform. */
export class InvalidPlatformError extends RegiError {
  constructor(text: string, problem: string) {
    super('INVALID_PLATFORM', `Cannot parse platform ${quote(text)}: ${problem}`, {
      hint: text.includes(',')
        ? 'give --platform once for each'
        : 'write OS/ARCHITECTURE[/VARIANT], such as linux/amd64 or linux/arm/v7',
    });
  }
}

/**
 * How far a choice may be from the wanted platform. `strict`: the same platform, normalized.
 * `only`: also platforms that such a machine can run, as containerd's `Only()`: older variants, and
 * without those 32-bit images on 64-bit machines (arm64 → arm, amd64 → 386). A caller that picks
 * with `only` says which platform it took.
 */
export type PlatformMatch = 'strict' | 'only';

const COMPONENT = /^[A-Za-z0-9_.-]+$/;
const OS_COMPONENT = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;

/**
 * Go's list (go/build/syslist.go). It decides whether a single word is an operating system or an
 * architecture.
 */
const KNOWN_OS: ReadonlySet<string> = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const KNOWN_ARCHITECTURE: ReadonlySet<string> = new Set(
  (
    '386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ' +
    'ppc riscv riscv64 s390 s390x sparc sparc64 wasm'
  ).split(' '),
);

interface Cpu {
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/**
 * Parses `os[(version[+feature…])][/architecture[/variant]]`, or a single known os or architecture.
 * The host decides the rest.
 *
 * @throws {InvalidPlatformError}
 * @see https://github.com/containerd/platforms/blob/v1.0.0-rc.1/platforms.go
 */
export function parsePlatform(text: string, host: Platform): Platform {
  if (text.includes('*')) throw new InvalidPlatformError(text, 'expected one platform, found "*"');
  const [first = '', architecture, variant, ...more] = text.split('/', 4);
  if (more.length > 0) throw new InvalidPlatformError(text, 'expected at most three parts');
  const system = parseSystem(first, text);
  const odd = [architecture, variant].find((it) => it !== undefined && !COMPONENT.test(it));
  if (odd !== undefined)
    throw new InvalidPlatformError(
      text,
      `expected letters, digits, "_", "." and "-", found ${quote(odd)}`,
    );
  if (architecture === undefined) return parseWord(first, system, host, text);
  const cpu = normalizeCpu({ architecture, variant });
  // With three parts typed, the result has three.
  const isBareArm64 = cpu.architecture === 'arm64' && cpu.variant === undefined;
  if (variant === undefined) return { ...system, ...withoutCommonVariant(cpu) };
  return { ...system, ...(isBareArm64 ? toCpu('arm64', 'v8') : cpu) };
}

/** Formats a platform as people write it: `windows(10.0.17763)/amd64`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant, osVersion = '', osFeatures = [] } = platform;
  if (os === '') return 'unknown';
  const options =
    encodeOption(osVersion) +
    [...osFeatures]
      .sort()
      .map((feature) => `+${encodeOption(feature)}`)
      .join('');
  const system = options === '' ? os : `${os}(${options})`;
  return [system, architecture, variant ?? ''].filter((part) => part !== '').join('/');
}

/**
 * Normalizes the spelling of a platform: `aarch64` and `arm64/v8` are `arm64`, `armhf` is `arm/v7`,
 * `macos` is `darwin`.
 */
export function normalizePlatform(platform: Platform): Platform {
  const { osVersion, osFeatures = [] } = platform;
  return {
    os: normalizeOs(platform.os),
    ...normalizeCpu(platform),
    ...systemOptions(osVersion, [...new Set(osFeatures)].sort()),
  };
}

function systemOptions(
  version: string | undefined,
  features: readonly string[],
): Pick<Platform, 'osVersion' | 'osFeatures'> {
  return defined({
    osVersion: version === '' ? undefined : version,
    osFeatures: features.length === 0 ? undefined : features,
  });
}

/**
 * Finds the best platform for `wanted`. Returns its index in `have`, the first among equals;
 * undefined when none serves.
 *
 * @param have the candidates; undefined ones are skipped. Read the platform of an entry without one
 *   from its config.
 */
export function pickPlatform(
  wanted: Platform,
  have: readonly (Platform | undefined)[],
  match: PlatformMatch,
): number | undefined {
  const want = normalizePlatform(wanted);
  const distances = have.map((platform) =>
    platform === undefined ? NONE : distanceOf(want, normalizePlatform(platform), match),
  );
  const least = Math.min(...distances);
  return least === NONE ? undefined : distances.indexOf(least);
}

function parseSystem(
  part: string,
  text: string,
): Pick<Platform, 'os' | 'osVersion' | 'osFeatures'> {
  const found = OS_COMPONENT.exec(part);
  if (found === null)
    throw new InvalidPlatformError(text, `expected an operating system, found ${quote(part)}`);
  const [, os = '', version = '', features = ''] = found;
  const decoded = features
    .split('+')
    .slice(1)
    .map((feature) => decodeOption(feature, text));
  return { os: normalizeOs(os), ...systemOptions(decodeOption(version, text), decoded) };
}

/** Parses a single word: an operating system, or else an architecture. */
function parseWord(
  word: string,
  system: Pick<Platform, 'os'>,
  host: Platform,
  text: string,
): Platform {
  if (KNOWN_OS.has(system.os)) return { ...system, ...withoutCommonVariant(normalizeCpu(host)) };
  const cpu = withoutCommonVariant(normalizeCpu({ architecture: word }));
  if (KNOWN_ARCHITECTURE.has(cpu.architecture)) return { os: normalizeOs(host.os), ...cpu };
  throw new InvalidPlatformError(text, 'expected a known operating system or architecture');
}

function normalizeOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === 'macos' ? 'darwin' : lower;
}

function normalizeCpu(cpu: Cpu): Cpu {
  const architecture = cpu.architecture.toLowerCase();
  const variant = (cpu.variant ?? '').toLowerCase();
  switch (architecture) {
    case 'i386':
      return { architecture: '386' };
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return toCpu('amd64', variant === 'v1' ? '' : variant);
    case 'aarch64':
    case 'arm64':
      return toCpu(
        'arm64',
        variant.replace(/^(?:8|v8|v8\.0)$/, '').replace(/^(?:9|9\.0|v9\.0)$/, 'v9'),
      );
    case 'armhf':
      return toCpu('arm', 'v7');
    case 'armel':
      return toCpu('arm', 'v6');
    case 'arm':
      return toCpu('arm', variant.replace(/^[5-8]$/, 'v$&') || 'v7');
    default:
      return toCpu(architecture, variant);
  }
}

function toCpu(architecture: string, variant: string): Cpu {
  return variant === '' ? { architecture } : { architecture, variant };
}

/** Drops v7 of arm, which people mean by arm. */
function withoutCommonVariant(cpu: Cpu): Cpu {
  return cpu.architecture === 'arm' && cpu.variant === 'v7' ? { architecture: 'arm' } : cpu;
}

/** The distance of a platform that does not serve. */
const NONE = Infinity;
/** Farther than any older variant. */
const OTHER_ARCHITECTURE = 1000;
/** Farther than any older minor version. */
const OTHER_MAJOR = 10;
/** Nearer than any older variant. */
const OTHER_BUILD = 0.5;

/**
 * Returns how far `have` is from `want`, both normalized: 0 for the same, `NONE` if it does not
 * serve.
 */
function distanceOf(want: Platform, have: Platform, match: PlatformMatch): number {
  const { osFeatures = [] } = want;
  if (want.os !== have.os || have.osFeatures?.every((it) => osFeatures.includes(it)) === false)
    return NONE;
  const build = want.os === 'windows' ? buildDistance(want.osVersion, have.osVersion) : 0;
  return build + cpuDistance(want, have, match);
}

function cpuDistance(want: Cpu, have: Cpu, match: PlatformMatch): number {
  const isSame = want.architecture === have.architecture;
  if (isSame && want.variant === have.variant) return 0;
  if (match === 'strict') return NONE;
  if (isSame) return variantDistance(want, have);
  switch (`${want.architecture} ${have.architecture}`) {
    case 'amd64 386':
      return have.variant === undefined ? OTHER_ARCHITECTURE : NONE;
    case 'arm64 arm': {
      const isKnown = arm64Version(want.variant) !== undefined;
      const arm = { architecture: 'arm', variant: 'v8' };
      return isKnown ? OTHER_ARCHITECTURE + cpuDistance(arm, have, match) : NONE;
    }
    default:
      return NONE;
  }
}

/**
 * Returns how much older the variant of the same architecture is; `NONE` if it is newer, or no
 * version.
 */
function variantDistance({ architecture, variant: want }: Cpu, { variant: have }: Cpu): number {
  switch (architecture) {
    case 'amd64':
      return olderBy(versionOf(want ?? 'v1'), versionOf(have ?? 'v1'), 1);
    case 'arm':
      return olderBy(versionOf(want), versionOf(have), 5);
    case 'arm64':
      return arm64Distance(arm64Version(want), arm64Version(have));
    default:
      return NONE;
  }
}

function olderBy(want: number, have: number, least: number): number {
  return have >= least && have <= want ? want - have : NONE;
}

/** Not a number for a variant that is no version: it compares with nothing. */
function versionOf(variant = ''): number {
  return /^v[1-9]\d?$/.test(variant) ? Number(variant.slice(1)) : NaN;
}

type Arm64Version = readonly [major: number, minor: number] | undefined;

function arm64Version(variant = 'v8'): Arm64Version {
  const found = /^v([89])(?:\.(\d))?$/.exec(variant);
  return found === null ? undefined : [Number(found[1]), Number(found[2] ?? 0)];
}

/** Version 9.0 derives from 8.5, so v9.x runs everything up to v9.x and v8.(x+5). */
function arm64Distance(want: Arm64Version, have: Arm64Version): number {
  if (want === undefined || have === undefined || want[0] < have[0]) return NONE;
  const majors = want[0] - have[0];
  return olderBy(want[1] + 5 * majors, have[1], 0) + OTHER_MAJOR * majors;
}

/**
 * Compares builds of Windows. A host runs its own build, and since Server 2022 (20348) every build
 * from there up to its own.
 */
function buildDistance(want: string | undefined, have: string | undefined): number {
  const [wanted, found] = [parseBuild(want), parseBuild(have)];
  if (wanted === undefined || have === undefined) return 0;
  if (found?.release !== wanted.release) return NONE;
  // The revisions of one build run alike, so the wanted one is the best and the newest the next
  // best.
  if (found.build === wanted.build)
    return found.revision === wanted.revision
      ? 0
      : OTHER_REVISION / (2 + found.revision / REVISIONS);
  return found.build >= STABLE_BUILD && found.build < wanted.build ? OTHER_BUILD : NONE;
}

const STABLE_BUILD = 20348;
/** Nearer than another build. */
const OTHER_REVISION = OTHER_BUILD / 2;
const REVISIONS = 1_000_000;

function parseBuild(
  version = '',
): { readonly release: string; readonly build: number; readonly revision: number } | undefined {
  const [, release, build, revision = '0'] =
    /^(\d{1,3}\.\d{1,3})\.(\d{1,5})(?:\.(\d{1,6}))?(?:\.|$)/.exec(version) ?? [];
  return release === undefined
    ? undefined
    : { release, build: Number(build), revision: Number(revision) };
}

function decodeOption(option: string, text: string): string {
  try {
    return decodeURIComponent(option);
  } catch (cause) {
    if (!(cause instanceof URIError)) throw cause;
    const problem = `expected "%" and two hex digits, found ${quote(option)}`;
    throw new InvalidPlatformError(text, problem);
  }
}

/**
 * Escapes what stands between parentheses. No ASCII character but those of the set stays as it is.
 */
function encodeOption(option: string): string {
  return option.replace(/[^A-Za-z0-9_.-]+/g, (odd) =>
    Buffer.from(odd).toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}
