import { isIP, isIPv4 } from 'node:net';

import type { PasswordPointer } from './credentials/pointer.ts';
import { UsageError } from './errors.ts';
import { quote } from './quote.ts';

/** `K` is 1024, as in docker, curl and wget; `kB` is 1000, as in the SI. Keys are lower-case. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
};

const SECOND_UNITS: Readonly<Record<string, number>> = {
  '': 1000,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Node's timers have 32 bits: much longer ones would fire at once. */
const MAX_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Parses a size such as `500000`, `10M` or `1.5GiB` into whole bytes, at least 1.
 *
 * @throws {UsageError} on any other text.
 */
export function parseBytes(where: string, text: string): number {
  const bytes = Math.floor(parseAmount(text, BYTE_UNITS));
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw invalidValue(
    where,
    text,
    'a number of bytes',
    'write a size such as 500000, 10M or 1.5GiB',
  );
}

/**
 * Parses a duration such as `30`, `1.5s` or `2m` into milliseconds.
 *
 * @throws {UsageError} on any other text, on zero, and on more than a day.
 */
export function parseSeconds(where: string, text: string): number {
  const milliseconds = Math.round(parseAmount(text, SECOND_UNITS));
  if (milliseconds >= 1 && milliseconds <= MAX_TIMEOUT_MS) return milliseconds;
  throw invalidValue(
    where,
    text,
    'seconds, more than 0 and at most a day',
    'write a number of seconds such as 30, or 2m',
  );
}

/**
 * Parses a whole number between two bounds.
 *
 * @throws {UsageError} on any other text.
 */
export function parseCount(where: string, text: string, minimum: number, maximum: number): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (count >= minimum && count <= maximum) return count;
  throw invalidValue(
    where,
    text,
    `a whole number from ${minimum} to ${maximum}`,
    `type ${where} ${minimum}, for example`,
  );
}

/**
 * Parses `HOST` or `HOST:PORT`, with an IPv6 address in brackets.
 *
 * @throws {UsageError} on any other text, such as a URL, a path or an invalid port.
 */
export function parseHost(where: string, text: string): string {
  if (isHost(text)) return text.toLowerCase();
  throw invalidValue(
    where,
    text,
    'a host with or without a port',
    'write it as in an image name, without https:// and without a path: registry.example:5000',
  );
}

/**
 * Parses `HOST[:PORT]` or a range of addresses such as `10.0.0.0/8`.
 *
 * @throws {UsageError} on any other text.
 */
export function parseHostOrCidr(where: string, text: string): string {
  if (isHost(text) || isCidr(text)) return text.toLowerCase();
  throw invalidValue(
    where,
    text,
    'a host with or without a port, or a CIDR range',
    'write registry.example:5000 or 10.0.0.0/8, without https://',
  );
}

/**
 * Parses a reference to a password: `USER:env:NAME` or `USER:file:PATH`.
 *
 * @throws {UsageError} on any other text. The message does not quote it, because it may be a
 *   password.
 */
export function parsePasswordPointer(where: string, text: string): PasswordPointer {
  const match = /^(?<username>[^:]+):(?<kind>env|file):(?<pointer>.+)$/s.exec(text);
  const { username, kind, pointer } = match?.groups ?? {};
  if (username !== undefined && pointer !== undefined) {
    if (kind === 'file') return { username, from: { kind: 'file', path: pointer } };
    if (/^[A-Za-z_]\w*$/.test(pointer)) return { username, from: { kind: 'env', name: pointer } };
  }
  throw new UsageError(
    `Cannot read the value of "${where}": expected USER:env:NAME or USER:file:PATH`,
    {
      hint: `put the password in an environment variable and type ${where} USER:env:NAME; other users of this machine can read command lines`,
    },
  );
}

function invalidValue(where: string, found: string, wanted: string, hint: string): UsageError {
  return new UsageError(`Cannot use ${JSON.stringify(found)} for "${where}": expected ${wanted}`, {
    hint,
  });
}

function parseAmount(text: string, units: Readonly<Record<string, number>>): number {
  const { number, unit } =
    /^(?<number>\d{1,15}(?:\.\d{1,9})?) ?(?<unit>[a-z]*)$/i.exec(text)?.groups ?? {};
  if (number === undefined || unit === undefined) return Number.NaN;
  const key = unit.toLowerCase();
  return Object.hasOwn(units, key) ? Number(number) * (units[key] ?? Number.NaN) : Number.NaN;
}

function isHost(text: string): boolean {
  const { bracketed, name, port } =
    /^(?:\[(?<bracketed>[^\]]+)\]|(?<name>[a-z0-9_.-]+))(?::(?<port>\d{1,5}))?$/i.exec(text)
      ?.groups ?? {};
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return false;
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  return name !== undefined && /^[a-z0-9]/i.test(name) && text.length <= 253 + ':65535'.length;
}

function isCidr(text: string): boolean {
  const slash = text.indexOf('/');
  const [address, length] = [text.slice(0, Math.max(slash, 0)), text.slice(slash + 1)];
  return (
    isIP(address) !== 0 &&
    /^\d{1,3}$/.test(length) &&
    Number(length) <= (isIPv4(address) ? 32 : 128)
  );
}

const AGE_UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Parses an age such as `30d`, `12h` or `2w` into milliseconds. @throws {UsageError} */
export function parseAge(where: string, text: string): number {
  const { count, unit } = /^(?<count>\d{1,6})(?<unit>[mhdw])$/.exec(text)?.groups ?? {};
  const ms = Object.entries(AGE_UNITS_MS).find(([name]) => name === unit)?.[1];
  if (count === undefined || ms === undefined)
    throw new UsageError(`Cannot use ${quote(text)} for "${where}": expected an age`, {
      hint: `such as ${where} 30d; units are m, h, d and w`,
    });
  return Number(count) * ms;
}
