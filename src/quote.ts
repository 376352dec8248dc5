import { printable } from './redact.ts';

const SHOWN_LENGTH = 160;
const DIGEST_START = /@(?:sha\d+|md5|blake\w+)(?::|$)/i;
/** Locations of files and folders, which have no user information. */
const PATH = /^(?:oci|archive|docker-archive|oci-archive|dir):(?!\/\/)/;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * Prepares outside text for a message: quoted, escaped, shortened, and without user names and
 * passwords.
 */
export function quote(text: string): string {
  const login = endOfUserinfo(text);
  const bare = login > 0 ? `***@${text.slice(login)}` : text;
  // The query of a URL may be a signature.
  const shown = SCHEME.test(text) ? bare.replace(/\?.*$/s, '?…') : bare;
  return printable(
    JSON.stringify(shown.length > SHOWN_LENGTH ? `${shown.slice(0, SHOWN_LENGTH)}…` : shown),
  );
}

/**
 * A path or place of this machine, as messages show it: quoted, escaped, and whole, so that it can
 * be copied.
 */
export function quotePath(path: string): string {
  return printable(JSON.stringify(path));
}

/** Removes `scheme://`. */
export function withoutScheme(text: string): string {
  return text.replace(SCHEME, '');
}

/**
 * Returns where the address begins after a possible `user:password@`; 0 if there is none. The "@"
 * before a digest, or before the number of an image in a file, ends no user information.
 */
export function endOfUserinfo(text: string): number {
  if (PATH.test(text)) return 0;
  const digestAt = text.search(DIGEST_START);
  const head = digestAt < 0 ? text : text.slice(0, digestAt);
  const at = head.lastIndexOf('@');
  if (at <= 0 || at === head.length - 1) return 0;
  return SCHEME.test(text) || head.includes(':') || head.includes('/', at) ? at + 1 : 0;
}
