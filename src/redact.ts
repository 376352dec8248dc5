/**
 * Query parameters with harmless values. Every other value is hidden, because each storage has its
 * own name for a signature.
 */
const HARMLESS_PARAMETERS: ReadonlySet<string> = new Set([
  'account',
  'artifacttype',
  'client_id',
  'digest',
  'digest-algorithm',
  'from',
  'last',
  'mount',
  'n',
  'ns',
  'offline_token',
  'page',
  'page_size',
  'scope',
  'service',
  'tag',
  'x-amz-algorithm',
  'x-amz-date',
  'x-amz-expires',
]);

/** Headers with one or more URLs. They are shown, even if the name sounds like a secret. */
const URL_HEADERS: ReadonlySet<string> = new Set([
  'content-location',
  'link',
  'location',
  'referer',
  'www-authenticate',
]);

const SECRET_HEADER = /auth|token|secret|cookie|credential|passw|signature|api-?key|session/;

const HIDDEN = '***';

/**
 * Removes secrets from a URL: user, password, fragment, and all query values but those known to be
 * harmless. Signed storage URLs and upload states are as good as a password.
 */
export function redactUrl(url: URL | string): string {
  const text = String(url);
  if (!URL.canParse(text)) return redactRelative(text);
  const parsed = new URL(text);
  // In other schemes the path may be the secret: data:, mailto:user@…
  if (parsed.host === '') return `${parsed.protocol}${HIDDEN}`;
  const user = parsed.username === '' && parsed.password === '' ? '' : `${HIDDEN}@`;
  return printable(
    `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}${redactQuery(parsed.search)}`,
  );
}

/** Removes secrets from the value of a header, for logs. */
export function redactHeader(name: string, value: string): string {
  const lower = name.toLowerCase();
  if (URL_HEADERS.has(lower)) return printable(redactUrlsIn(lower, value));
  if (!SECRET_HEADER.test(lower)) return printable(value);
  const scheme = lower.endsWith('authorization') ? /^(Basic|Bearer) /i.exec(value)?.[1] : undefined;
  return scheme === undefined ? HIDDEN : `${scheme} ${HIDDEN}`;
}

/**
 * Matches values of an Authorization header, but not `Bearer realm="…"` or a word of a sentence.
 */
const AUTHORIZATION_VALUE = /\b(Basic|Bearer)\s+[\w+/.~-]{20,}=*(?![\w="])/gi;

/** In characters. Shorter secrets occur as words in any text; hiding those would reveal them. */
const SHORTEST_SECRET = 4;

/** Removes secrets from the text of a peer: some servers repeat the request in an error. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const shown = text.replace(AUTHORIZATION_VALUE, `$1 ${HIDDEN}`);
  return secrets
    .filter(({ length }) => length >= SHORTEST_SECRET)
    .reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), shown);
}

/**
 * Lists the secrets in an Authorization header: the value as sent, and for Basic also the password.
 */
export function secretsIn(authorization: string | undefined): readonly string[] {
  const [, scheme = '', value = ''] = /^(\w+)\s+(.+)$/.exec(authorization ?? '') ?? [];
  if (scheme.toLowerCase() !== 'basic') return value === '' ? [] : [value];
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return [value, pair.slice(pair.indexOf(':') + 1)];
}

/**
 * Escapes text of a peer for a terminal: control characters, line breaks, characters that reverse
 * or hide text, and lone surrogates become `\n`, `\x1b`, `\u{202e}`.
 *
 * @param limit characters to keep; a longer text ends with "…".
 */
export function printable(text: string, limit: number = Number.POSITIVE_INFINITY): string {
  const kept = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return kept.replace(UNPRINTABLE, escapeCharacter);
}

/**
 * C0, DEL and C1 controls; format characters (bidi marks, zero-width, tags); line and paragraph
 * separators; lone surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return (
    SHORT_ESCAPES[character] ??
    (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
  );
}

function redactUrlsIn(name: string, value: string): string {
  if (name !== 'link' && name !== 'www-authenticate') return redactUrl(value);
  // Both grammars put their URLs between delimiters: <…> and "…".
  return value.replace(
    /<([^<>]*)>|"([a-z][a-z0-9+.-]*:[^"]*)"/gi,
    (_match, linked: string | undefined, quoted: string | undefined) =>
      linked === undefined
        ? `"${isHttp(quoted ?? '') ? redactUrl(quoted ?? '') : quoted}"`
        : `<${redactUrl(linked)}>`,
  );
}

function isHttp(text: string): boolean {
  return /^https?:/i.test(text);
}

/** Redacts a path with a query, as in most Location and Link headers. */
function redactRelative(text: string): string {
  const [path = '', ...query] = (text.split('#', 1)[0] ?? '').split('?');
  return printable(
    `${path.replace(/^(\w[\w+.-]*:)?\/\/[^/]*@/, `$1//${HIDDEN}@`)}${redactQuery(query.join('?'))}`,
  );
}

function redactQuery(search: string): string {
  const parameters = search.replace(/^\?/, '');
  if (parameters === '') return '';
  return `?${parameters.split('&').map(redactParameter).join('&')}`;
}

function redactParameter(parameter: string): string {
  const equals = parameter.indexOf('=');
  // A parameter without a name may be the token itself.
  if (equals < 0) return HARMLESS_PARAMETERS.has(parameter.toLowerCase()) ? parameter : HIDDEN;
  const name = parameter.slice(0, equals);
  return HARMLESS_PARAMETERS.has(name.toLowerCase()) ? parameter : `${name}=${HIDDEN}`;
}
