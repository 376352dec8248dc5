import { quote, withoutScheme } from '../quote.ts';
import { parseReference, parseRepository } from '../oci/reference.ts';
import { UsageError } from '../errors.ts';

const DOCKER_HUB = 'docker.io';
const DOCKER_HUB_NAMES: ReadonlySet<string> = new Set([
  DOCKER_HUB,
  'index.docker.io',
  'registry-1.docker.io',
  'hub.docker.com',
]);

/**
 * Parses the registry that a person logs in to: `registry.example:5000`, `https://registry.example/`, or nothing for Docker Hub.
 * A path behind it is left out: logins are for a whole registry.
 *
 * @throws {UsageError} when it is none that a reference could name.
 */
export function parseRegistryName(text: string | undefined): string {
  const host = withoutScheme(text ?? DOCKER_HUB).split('/', 1)[0] ?? '';
  if (DOCKER_HUB_NAMES.has(host)) return DOCKER_HUB;
  if (nameInReferences(host) === host) return host;
  throw new UsageError(
    `Cannot use ${quote(text ?? '')} as a registry: expected a host with a dot or a port, or localhost`,
    {
      hint: 'write it as in image names: registry.example, registry.example:5000; nothing means Docker Hub',
    },
  );
}

/**
 * The registry, and what is named behind it: `registry.example/team/app`. A tag or digest is left out.
 *
 * @throws {UsageError} when it is none that a reference could name.
 * @throws {InvalidReferenceError} when the repository is none.
 */
export function parseRegistryPlace(text: string | undefined): {
  readonly host: string;
  readonly repository: string | undefined;
} {
  const host = parseRegistryName(text);
  const bare = withoutScheme(text ?? '').replace(/\/+$/, '');
  const slash = bare.indexOf('/');
  if (slash < 0) return { host, repository: undefined };
  return { host, repository: parseReference(`${host}/${bare.slice(slash + 1)}`).path };
}

function nameInReferences(host: string): string | undefined {
  try {
    return parseRepository(`${host}/x`).domain;
  } catch {
    return undefined;
  }
}
