import { isIPv4, isIPv6 } from 'node:net';

import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';

/** The address and port of a server. */
export interface ListenAddress {
  /** A name or an address, without the brackets of IPv6. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

export const DEFAULT_LISTEN: ListenAddress = { host: '127.0.0.1', port: 5000 };

const HINT = 'write --listen 127.0.0.1:5000, [::1]:5000 or 0.0.0.0:5000; port 0 takes a free one';

/**
 * Parses the value of `--listen`: `HOST:PORT`, or a port alone for 127.0.0.1. `:PORT` is every
 * address, as in docker.
 *
 * @throws {UsageError} on any other text.
 */
export function parseListenAddress(text: string): ListenAddress {
  const { bracketed, name, port } =
    /^(?:(?:\[(?<bracketed>[^\]]*)\]|(?<name>[A-Za-z0-9.-]*)):)?(?<port>\d{1,5})$/.exec(text)
      ?.groups ?? {};
  const wrong =
    port === undefined || Number(port) > 65_535 || (bracketed !== undefined && !isIPv6(bracketed));
  if (wrong)
    throw new UsageError(`Cannot use ${quote(text)} for "--listen": expected HOST:PORT`, {
      hint: HINT,
    });
  const host = bracketed ?? name ?? DEFAULT_LISTEN.host;
  return { host: host === '' ? '0.0.0.0' : host.toLowerCase(), port: Number(port) };
}

/**
 * True if only this machine can reach the address. A name other than `localhost` may resolve to
 * anything.
 */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Formats an address as a URL has it. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
