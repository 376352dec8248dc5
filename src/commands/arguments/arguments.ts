import type { ParsedArguments } from '../../command.ts';
import { UsageError } from '../../errors.ts';

/** A switch. */
export function flag({ options }: ParsedArguments, name: string): boolean {
  return options[name] === true;
}

/** The value of an option. */
export function value({ options }: ParsedArguments, name: string): string | undefined {
  const given = options[name];
  return typeof given === 'string' ? given : undefined;
}

/** All values of a repeatable option. */
export function values({ options }: ParsedArguments, name: string): readonly string[] {
  const given = options[name];
  if (typeof given === 'string') return [given];
  return Array.isArray(given) ? given.map(String) : [];
}

/** A positional word that the command cannot do without. */
export function positional(
  { positionals }: ParsedArguments,
  index: number,
  name: string,
  hint = 'add --help to see the arguments',
): string {
  const given = positionals[index];
  if (given === undefined)
    throw new UsageError(`Cannot start: expected ${name}, found nothing`, { hint });
  return given;
}
