/**
 * Records of a PAX header by their names, one character per byte (latin1). An empty value cancels
 * that of a global header.
 */
export type PaxRecords = ReadonlyMap<string, string>;

/**
 * Reads the records of a PAX header, each `LENGTH NAME=VALUE\n` with the length of the whole
 * record; undefined when they are none.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03
 */
export function parsePax(content: Uint8Array): PaxRecords | undefined {
  const records = new Map<string, string>();
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  for (let at = 0; at < bytes.byteLength;) {
    // Some writers fill the last block with NULs and count them.
    if (bytes[at] === 0)
      return bytes.subarray(at).every((byte) => byte === 0) ? records : undefined;
    const blank = bytes.indexOf(0x20, at);
    const digits = blank < 0 || blank - at > 10 ? '' : bytes.toString('latin1', at, blank);
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length === 0 || end > bytes.byteLength || end <= blank + 1 || bytes[end - 1] !== 0x0a)
      return undefined;
    const record = bytes.toString('latin1', blank + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals <= 0) return undefined;
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** Makes the content of a PAX header. */
export function formatPax(records: PaxRecords): Uint8Array {
  return Buffer.from([...records].map(formatRecord).join(''), 'latin1');
}

function formatRecord([name, value]: readonly [string, string]): string {
  const rest = ` ${name}=${value}\n`;
  // The length counts its own digits, so one more digit may need yet another.
  let length = rest.length + String(rest.length).length;
  if (rest.length + String(length).length > length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}
