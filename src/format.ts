const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Formats a size: `0 B`, `999 B`, `1.5 KiB`, `28.3 MiB`. */
export function formatBytes(bytes: number): string {
  let [amount, unit] = [bytes, 0];
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${UNITS[unit] ?? 'B'}`;
}

/** The rate of fewer bytes says more about latency than about bandwidth. */
const SMALLEST_MEASURED = 1024 * 1024;

/**
 * Formats a speed: `28.3 MiB/s`.
 *
 * @param bytes size of the transfer. Below 1 MiB the result is empty.
 */
export function formatRate(bytesPerSecond: number, bytes: number): string {
  return bytes < SMALLEST_MEASURED || !Number.isFinite(bytesPerSecond)
    ? ''
    : `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** Formats a number of things: `1 blob`, `2 blobs`, `2 entries`. */
export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${pluralize(count, noun, plural)}`;
}

/** Selects the form of a word that agrees with the number: `1 file differs`, `2 files differ`. */
export function pluralize(count: number, singular: string, plural: string): string {
  return count === 1 ? singular : plural;
}

/** Shortens a digest so that people can still tell it from others: `sha256:0123456789ab`. */
export function shortDigest(digest: string): string {
  return digest.slice(0, digest.indexOf(':') + 1 + 12);
}

/** Formats a measured duration: `0.4 s`, `12.3 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(milliseconds, 0) / 1000;
  return seconds < 59.95 ? `${seconds.toFixed(1)} s` : formatWholeSeconds(milliseconds);
}

/** Formats an estimated duration without decimals: `1 s`, `12 s`, `2 min 5 s`. */
export function formatWholeSeconds(milliseconds: number): string {
  const whole = Math.max(Math.round(milliseconds / 1000), 1);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
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

/** Formats an age: `3 days`, `2 years`. */
export function formatAge(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  // Like docker: at least two of a unit, else the next smaller unit.
  const [length, unit] = AGES.find(([candidate]) => seconds >= 2 * candidate) ?? [1, 'second'];
  return formatCount(Math.floor(seconds / length), unit);
}

/**
 * Formats a value as JSON on one line, with every character escaped that could affect a terminal.
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  // JSON escapes UTF-16 units: a character outside the basic plane has two.
  return [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');
}
