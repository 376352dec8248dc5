import type { Context } from '../context.ts';
import type { PageStyle } from './layers.ts';

const DEFAULT_COLUMNS = 80;
/** Narrower pages are not laid out; the terminal breaks their lines. */
const MIN_COLUMNS = 32;

/** How a page is laid out for whoever reads standard output. */
export function pageStyle({ io }: Context): PageStyle {
  const locale = io.env['LC_ALL'] || io.env['LC_CTYPE'] || io.env['LANG'] || '';
  return {
    columns: Math.max(io.stdout.columns() ?? DEFAULT_COLUMNS, MIN_COLUMNS),
    unicode: /utf-?8/i.test(locale),
  };
}
