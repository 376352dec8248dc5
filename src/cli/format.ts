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

/** `0.4 s`, `12.3 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(milliseconds, 0) / 1000;
  return seconds < 59.95 ? `${seconds.toFixed(1)} s` : formatWholeSeconds(milliseconds);
}

/** `1 s`, `12 s`, `2 min 5 s`: for a guess, which decimals would make look like more. */
export function formatWholeSeconds(milliseconds: number): string {
  const whole = Math.max(Math.round(milliseconds / 1000), 1);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Bytes per second; empty when no time has passed. */
export function formatRate(bytes: number, milliseconds: number): string {
  return milliseconds <= 0 ? '' : `${formatBytes(Math.round(bytes / (milliseconds / 1000)))}/s`;
}

/** `1 blob`, `2 blobs`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Enough of a digest to tell it from others by eye: `sha256:0123456789ab`. */
export function shortDigest(digest: string): string {
  return digest.slice(0, digest.indexOf(':') + 1 + 12);
}
