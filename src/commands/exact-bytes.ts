import type { Context } from '../context.ts';

/**
 * Bytes of a registry for standard output: exactly as they are for a pipe or file; on a terminal as text, so that nothing in them
 * can move its cursor or turn its text around.
 */
export function exactBytes(bytes: Uint8Array, { io }: Context): string | Uint8Array {
  return io.stdout.isTTY ? new TextDecoder().decode(bytes) : bytes;
}
