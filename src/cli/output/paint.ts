import type { ChalkInstance } from 'chalk';

import { printable } from '../../redact.ts';
import { partsOf, plainText, type Role, type Styled } from '../../styled.ts';

/**
 * Formats a text for one stream: escapes what could affect a terminal, and adds colours where they
 * are wanted.
 */
export type Paint = (text: Styled) => Promise<string>;

/**
 * The look of each role. Bold, dim and the basic colours follow the theme of the terminal, light or
 * dark.
 */
const STYLES: Readonly<Record<Role, (chalk: ChalkInstance) => ChalkInstance>> = {
  name: (chalk) => chalk.bold,
  heading: (chalk) => chalk.bold,
  detail: (chalk) => chalk.dim,
  good: (chalk) => chalk.green,
  bad: (chalk) => chalk.red,
  // Plain yellow cannot be read on a light background.
  changed: (chalk) => chalk.bold.yellow,
  error: (chalk) => chalk.red,
  busy: (chalk) => chalk.cyan,
};

/** Creates the paint of a stream. Chalk is loaded for the first text that has a colour. */
export function createPaint(color: boolean): Paint {
  if (!color) return async (text) => safeText(plainText(text));
  return async (text) => {
    const parts = partsOf(text);
    if (parts.every((part) => typeof part === 'string')) return safeText(parts.join(''));
    const chalk = await colours();
    return parts
      .map((part) =>
        typeof part === 'string' ? safeText(part) : STYLES[part.role](chalk)(safeText(part.text)),
      )
      .join('');
  };
}

/** Matches a text without characters to escape, as most are. */
const SAFE = /^[\n\t\x20-\x7e]*$/;

/** Escapes characters that could affect a terminal, except line breaks and tabs. */
export function safeText(text: string): string {
  return SAFE.test(text) ? text : text.replace(/[^\n\t]+/g, (part) => printable(part));
}

let loaded: Promise<ChalkInstance> | undefined;

function colours(): Promise<ChalkInstance> {
  // Chalk would look at the environment and standard output of the process; `wantsColor()` has
  // decided.
  loaded ??= import('chalk').then(({ Chalk }) => new Chalk({ level: 1 }));
  return loaded;
}
