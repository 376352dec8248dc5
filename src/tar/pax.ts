/** Records of a PAX header by their names. An empty value takes back what a global header said. */
export type PaxRecords = ReadonlyMap<string, string>;

/** `latin1` keeps every byte as one character: values may be no text, and names no UTF-8. */
export type PaxEncoding = 'utf8' | 'latin1';

/**
 * Reads the records of a PAX header, each `LENGTH NAME=VALUE\n` with the length of the whole record. Undefined when they are not.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03
 */
export function parsePax(
  content: Uint8Array,
  encoding: PaxEncoding = 'utf8',
): PaxRecords | undefined {
  const records = new Map<string, string>();
  let at = 0;
  while (at < content.byteLength) {
    // Some writers fill the last block up with NULs and count them in.
    if (content[at] === 0)
      return content.subarray(at).every((byte) => byte === 0) ? records : undefined;
    const blank = content.indexOf(0x20, at);
    const digits =
      blank < 0 || blank - at > 10 ? '' : decode(content.subarray(at, blank), encoding);
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length === 0 || end > content.byteLength || end <= blank + 1 || content[end - 1] !== 0x0a)
      return undefined;
    const record = decode(content.subarray(blank + 1, end - 1), encoding);
    const equals = record.indexOf('=');
    if (equals <= 0) return undefined;
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** The content of a PAX header. */
export function formatPax(
  records: Readonly<Record<string, string>>,
  encoding: PaxEncoding = 'utf8',
): Uint8Array {
  const texts = Object.entries(records).map((record) => formatRecord(record, encoding));
  return Buffer.from(texts.join(''), encoding);
}

function formatRecord([name, value]: readonly [string, string], encoding: PaxEncoding): string {
  const rest = Buffer.byteLength(` ${name}=${value}\n`, encoding);
  // The length counts its own digits, so one more digit may need yet another.
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length = rest + String(length).length;
  return `${length} ${name}=${value}\n`;
}

function decode(bytes: Uint8Array, encoding: PaxEncoding): string {
  return encoding === 'utf8'
    ? new TextDecoder().decode(bytes)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding);
}
