/**
 * Keywords that gpgv may write beside those of a good signature. Any other one refuses: failures
 * and doubts have keywords of their own, and later versions may add more.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  'KEY_CONSIDERED',
  // About any key of the keyring. The key that signed has EXPKEYSIG then.
  'KEYEXPIRED',
  'NEWSIG',
  'NOTATION_DATA',
  'NOTATION_FLAGS',
  'NOTATION_NAME',
  'PLAINTEXT_LENGTH',
  'POLICY_URL',
  'PROGRESS',
  'SIG_ID',
  'VERIFICATION_COMPLIANCE_MODE',
]);
/** Keywords that a message of one signature over one content has exactly once. */
const ONCE = ['NEWSIG', 'PLAINTEXT', 'GOODSIG', 'VALIDSIG'];
const LINE = /^\[GNUPG:\] (?<keyword>[A-Z0-9_]+)(?: (?<rest>.*))?$/;
/** The fingerprint of the key, its class `00` for binary content, and the primary key. */
const VALID =
  /^(?<key>[0-9A-F]{40}|[0-9A-F]{64}) \d{4}-\d\d-\d\d \d+ \d+ \d+ \d+ \d+ \d+ 00 (?<primary>[0-9A-F]{40}|[0-9A-F]{64})$/;

/** What the status lines of gpgv say. */
export type GpgvStatus =
  | { readonly isGood: true; readonly fingerprint: string }
  | { readonly isGood: false; readonly reason: string };

/**
 * Reads the status lines of gpgv. Good is one signature over one content, by a key that is neither
 * expired nor revoked, and not a word beside.
 *
 * @param text everything that it wrote to its status descriptor.
 * @see https://github.com/gpg/gnupg/blob/gnupg-2.2.40/doc/DETAILS
 */
export function parseGpgvStatus(text: string): GpgvStatus {
  const lines = text.split('\n');
  if (lines.pop() !== '') return refused('its output breaks off');
  const counts = new Map<string, number>();
  let fingerprint: string | undefined;
  for (const line of lines) {
    const { keyword = '', rest = '' } = LINE.exec(line)?.groups ?? {};
    if (!HARMLESS.has(keyword) && !ONCE.includes(keyword)) return refused(reasonOf(keyword));
    counts.set(keyword, (counts.get(keyword) ?? 0) + 1);
    if (keyword === 'VALIDSIG') fingerprint = VALID.exec(rest)?.groups?.['primary'];
  }
  const other = ONCE.find((keyword) => counts.get(keyword) !== 1);
  if (other !== undefined)
    return refused(`it has ${other} ${counts.get(other) ?? 0} times instead of once`);
  return fingerprint === undefined
    ? refused('its signature is not one over binary content')
    : { isGood: true, fingerprint };
}

const REASONS: Readonly<Record<string, string>> = {
  BADSIG: 'its signature does not match its content',
  ERRSIG: 'no key of the policy made its signature',
  NO_PUBKEY: 'no key of the policy made its signature',
  EXPSIG: 'its signature has expired',
  EXPKEYSIG: 'the key that made its signature has expired',
  REVKEYSIG: 'the key that made its signature is revoked',
  NODATA: 'it is no signed message',
  UNEXPECTED: 'it is no signed message',
};

function reasonOf(keyword: string): string {
  return REASONS[keyword] ?? `gpgv does not accept it (${keyword === '' ? 'no status' : keyword})`;
}

function refused(reason: string): GpgvStatus {
  return { isGood: false, reason };
}
