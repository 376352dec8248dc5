const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `0 B`, `999 B`, `1.5 KiB`, `28.3 MiB`. */
export function formatBytes(bytes: number): string {
  let [amount, unit] = [bytes, 0];
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${UNITS[unit] ?? 'B'}`;
}

/** `1 blob`, `2 blobs`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Enough of a digest to tell it from others by eye: `sha256:0123456789ab`. */
export function shortDigest(digest: string): string {
  return digest.slice(0, digest.indexOf(':') + 1 + 12);
}

const AGES = [
  [365.25 * 24 * 3600, 'year'],
  [30.44 * 24 * 3600, 'month'],
  [7 * 24 * 3600, 'week'],
  [24 * 3600, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const;

/** `3 days`, `2 years`. */
export function formatAge(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  // As docker: two of a unit, or the next smaller one.
  const [length, unit] = AGES.find(([candidate]) => seconds >= 2 * candidate) ?? [1, 'second'];
  return formatCount(Math.floor(seconds / length), unit);
}

/** The value as JSON on one line, in which no character can disturb a terminal or turn text around. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  // Escapes of JSON are of UTF-16 units: a character outside the basic plane has two.
  return [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');
}
