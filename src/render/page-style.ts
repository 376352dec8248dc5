import type { Context } from '../context.ts';

/** Layout of a page. */
export interface PageStyle {
  /** Width of the terminal; the last column stays free. */
  readonly columns: number;
  /**
   * True without a terminal: names and digests stay whole, so that they can be searched in a pipe.
   */
  readonly isPiped?: boolean | undefined;
  /** False for ASCII only. */
  readonly unicode: boolean;
}

const DEFAULT_COLUMNS = 80;
/** Narrower pages are not laid out; the terminal wraps their lines. */
const MIN_COLUMNS = 32;

/** Returns the layout for standard output, or for lines of standard error. */
export function pageStyle({ io }: Context, stream: 'stdout' | 'stderr' = 'stdout'): PageStyle {
  const columns = io[stream].columns();
  return {
    columns: Math.max(columns ?? DEFAULT_COLUMNS, MIN_COLUMNS),
    isPiped: columns === undefined,
    unicode: showsUnicode(io.env),
  };
}

/** Returns the columns that a line may take. Some terminals wrap a line that fills the last one. */
export function roomOf({ columns, isPiped }: PageStyle): number {
  return isPiped === true ? Number.POSITIVE_INFINITY : columns - 1;
}

/** True if the locale has UTF-8. Others would show bytes instead of characters outside ASCII. */
export function showsUnicode(env: Context['io']['env']): boolean {
  return /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '');
}
