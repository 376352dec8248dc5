import { printable } from './redact.ts';

const SHOWN_LENGTH = 160;
const DIGEST_START = /@(?:sha\d+|md5|blake\w+)(?::|$)/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** A text that somebody typed or sent, as messages show it: quoted, escaped, shortened, and without user names and passwords. */
export function quote(text: string): string {
  const login = endOfUserinfo(text);
  const bare = login > 0 ? `***@${text.slice(login)}` : text;
  // The query of a URL may be a signature.
  const shown = SCHEME.test(text) ? bare.replace(/\?.*$/s, '?…') : bare;
  return printable(
    JSON.stringify(shown.length > SHOWN_LENGTH ? `${shown.slice(0, SHOWN_LENGTH)}…` : shown),
  );
}

/** The text without `scheme://`. */
export function withoutScheme(text: string): string {
  return text.replace(SCHEME, '');
}

/** Where the address begins behind what may be `user:password@`; 0 when nothing may be. An "@" that begins a digest is none. */
export function endOfUserinfo(text: string): number {
  const digestAt = text.search(DIGEST_START);
  const head = digestAt < 0 ? text : text.slice(0, digestAt);
  const at = head.lastIndexOf('@');
  if (at <= 0 || at === head.length - 1) return 0;
  return SCHEME.test(text) || head.includes(':') || head.includes('/', at) ? at + 1 : 0;
}
