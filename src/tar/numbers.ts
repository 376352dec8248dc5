/**
 * Reads a number of a header: octal digits between blanks and NULs, or, behind a first byte of 0x80 and more, base 256 as GNU tar
 * writes what octal has no room for. An empty field is 0; undefined when it is neither, negative, or over 2^53.
 *
 * @see https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
export function parseNumber(field: Uint8Array): number | undefined {
  const first = field[0] ?? 0;
  return first >= 0x80 ? parseBase256(field, first) : parseOctal(field);
}

/** Octal digits, zeros before them and NUL behind; undefined when the field is too narrow. @param width of the field in bytes. */
export function formatOctal(value: number, width: number): string | undefined {
  const digits = value.toString(8);
  return digits.length < width ? `${digits.padStart(width - 1, '0')}\0` : undefined;
}

function parseOctal(field: Uint8Array): number | undefined {
  let value = 0;
  let state: 'before' | 'digits' | 'after' = 'before';
  for (const byte of field) {
    const isBlank = byte === 0x20 || byte === 0;
    if (isBlank) {
      // GNU tar and Python read on over blanks before the digits, and stop at the first behind them.
      if (state === 'digits') state = 'after';
    } else if (byte < 0x30 || byte > 0x37 || state === 'after') return undefined;
    else {
      state = 'digits';
      // Not a shift: bitwise operators truncate to 32 bits.
      value = value * 8 + (byte - 0x30);
    }
  }
  return Number.isSafeInteger(value) ? value : undefined;
}

function parseBase256(field: Uint8Array, first: number): number | undefined {
  // The second highest bit is the sign.
  if (first >= 0xc0) return undefined;
  let value = first - 0x80;
  for (const byte of field.subarray(1)) {
    value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) return undefined;
  }
  return value;
}
