import { formatBytes } from '../../format.ts';

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
