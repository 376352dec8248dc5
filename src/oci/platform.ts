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
 * How far a choice may be from the wanted platform. `strict`: the same platform, normalized. `only`: also platforms that such a
 * machine can run, as containerd's `Only()`: older variants, and without those 32-bit images on 64-bit machines (arm64 → arm,
 * amd64 → 386). A caller that picks with `only` says which platform it took.
 */
export type PlatformMatch = 'strict' | 'only';

const COMPONENT = /^[A-Za-z0-9_.-]+$/;
const OS_COMPONENT = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?$/;

/** Go's list (go/build/syslist.go). It decides whether a single word is an operating system or an architecture. */
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
 * Parses `os[(version[+feature…])][/architecture[/variant]]`, or a single known os or architecture. The host decides the rest.
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

/** Normalizes the spelling of a platform: `aarch64` and `arm64/v8` are `arm64`, `armhf` is `arm/v7`, `macos` is `darwin`. */
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
 * Finds the best platform for `wanted`. Returns its index in `have`, the first among equals; undefined when none serves.
 *
 * @param have the candidates; undefined ones are skipped. Read the platform of an entry without one from its config.
 */
export function pickPlatform(
  wanted: Platform,
  have: readonly (Platform | undefined)[],
  match: PlatformMatch,
): number | undefined {
  const want = normalizePlatform(wanted);
  let best: { readonly index: number; readonly distance: number } | undefined;
  for (const [index, platform] of have.entries()) {
    const distance =
      platform === undefined ? undefined : distanceOf(want, normalizePlatform(platform), match);
    if (distance !== undefined && (best === undefined || distance < best.distance))
      best = { index, distance };
  }
  return best?.index;
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
      return toCpu('arm64', normalizeArm64(variant));
    case 'armhf':
      return toCpu('arm', 'v7');
    case 'armel':
      return toCpu('arm', 'v6');
    case 'arm':
      return toCpu(
        'arm',
        variant === '' ? 'v7' : /^[5-8]$/.test(variant) ? `v${variant}` : variant,
      );
    default:
      return toCpu(architecture, variant);
  }
}

function normalizeArm64(variant: string): string {
  if (/^(?:8|v8|v8\.0)$/.test(variant)) return '';
  return /^(?:9|9\.0|v9\.0)$/.test(variant) ? 'v9' : variant;
}

function toCpu(architecture: string, variant: string): Cpu {
  return variant === '' ? { architecture } : { architecture, variant };
}

/** Drops v7 of arm, which people mean by arm. */
function withoutCommonVariant(cpu: Cpu): Cpu {
  return cpu.architecture === 'arm' && cpu.variant === 'v7' ? { architecture: 'arm' } : cpu;
}

/** Farther than any older variant. */
const OTHER_ARCHITECTURE = 1000;
/** Farther than any older minor version. */
const OTHER_MAJOR = 10;
/** Nearer than any older variant. */
const OTHER_BUILD = 0.5;

/** Returns how far `have` is from `want`, both normalized: 0 for the same, undefined if it does not serve. */
function distanceOf(want: Platform, have: Platform, match: PlatformMatch): number | undefined {
  if (want.os !== have.os) return undefined;
  if (have.osFeatures?.some((feature) => want.osFeatures?.includes(feature) !== true) === true)
    return undefined;
  const build = want.os === 'windows' ? buildDistance(want.osVersion, have.osVersion) : 0;
  const cpu = cpuDistance(want, have, match);
  return build === undefined || cpu === undefined ? undefined : cpu + build;
}

function cpuDistance(want: Cpu, have: Cpu, match: PlatformMatch): number | undefined {
  if (want.architecture === have.architecture && want.variant === have.variant) return 0;
  if (match === 'strict') return undefined;
  if (want.architecture === have.architecture) return variantDistance(want, have);
  if (want.architecture === 'amd64' && have.architecture === '386' && have.variant === undefined)
    return OTHER_ARCHITECTURE;
  if (
    want.architecture !== 'arm64' ||
    have.architecture !== 'arm' ||
    arm64Version(want.variant) === undefined
  )
    return undefined;
  const distance = cpuDistance({ architecture: 'arm', variant: 'v8' }, have, match);
  return distance === undefined ? undefined : OTHER_ARCHITECTURE + distance;
}

/** Returns how much older the variant of the same architecture is; undefined if it is newer, or no version. */
function variantDistance(want: Cpu, have: Cpu): number | undefined {
  switch (want.architecture) {
    case 'amd64':
      return olderBy(plainVersion(want.variant ?? 'v1'), plainVersion(have.variant ?? 'v1'), 1);
    case 'arm':
      return olderBy(plainVersion(want.variant), plainVersion(have.variant), 5);
    case 'arm64':
      return arm64Distance(arm64Version(want.variant), arm64Version(have.variant));
    default:
      return undefined;
  }
}

function olderBy(
  want: number | undefined,
  have: number | undefined,
  least: number,
): number | undefined {
  return want === undefined || have === undefined || have < least || have > want
    ? undefined
    : want - have;
}

function plainVersion(variant: string | undefined): number | undefined {
  return variant !== undefined && /^v[1-9]\d?$/.test(variant)
    ? Number(variant.slice(1))
    : undefined;
}

interface Arm64Version {
  readonly major: number;
  readonly minor: number;
}

function arm64Version(variant = 'v8'): Arm64Version | undefined {
  const found = /^v([89])(?:\.(\d))?$/.exec(variant);
  return found === null ? undefined : { major: Number(found[1]), minor: Number(found[2] ?? 0) };
}

/** Version 9.0 derives from 8.5, so v9.x runs everything up to v9.x and v8.(x+5). */
function arm64Distance(
  want: Arm64Version | undefined,
  have: Arm64Version | undefined,
): number | undefined {
  if (want === undefined || have === undefined) return undefined;
  if (want.major === have.major) return olderBy(want.minor, have.minor, 0);
  const distance = want.major === 9 ? olderBy(want.minor + 5, have.minor, 0) : undefined;
  return distance === undefined ? undefined : OTHER_MAJOR + distance;
}

/** Compares builds of Windows. A host runs its own build, and since Server 2022 (20348) every build from there up to its own. */
function buildDistance(want: string | undefined, have: string | undefined): number | undefined {
  const [wanted, found] = [parseBuild(want), parseBuild(have)];
  if (wanted === undefined || have === undefined) return 0;
  if (found === undefined || found.release !== wanted.release) return undefined;
  if (found.build === wanted.build) return 0;
  return found.build >= STABLE_BUILD && found.build < wanted.build ? OTHER_BUILD : undefined;
}

const STABLE_BUILD = 20348;

function parseBuild(
  version = '',
): { readonly release: string; readonly build: number } | undefined {
  const found = /^(\d{1,3}\.\d{1,3})\.(\d{1,5})(?:\.|$)/.exec(version);
  return found?.[1] === undefined ? undefined : { release: found[1], build: Number(found[2]) };
}

function decodeOption(option: string, text: string): string {
  try {
    return decodeURIComponent(option);
  } catch (cause) {
    if (cause instanceof URIError)
      throw new InvalidPlatformError(
        text,
        `expected "%" and two hex digits, found ${quote(option)}`,
      );
    throw cause;
  }
}

function encodeOption(option: string): string {
  return option.replace(/[^A-Za-z0-9_.-]+/g, (odd) =>
    [...Buffer.from(odd)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}
