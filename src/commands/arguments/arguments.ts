import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import type { Platform } from '../../oci/descriptor.ts';
import { parsePlatform } from '../../oci/platform.ts';
import type { PlatformChoice } from '../../operations/copy/resolve-image.ts';
import { parseCount } from '../../option-values.ts';
import { quote } from '../../quote.ts';
import type { Location } from '../../targets/location.ts';
import type { OpenOptions } from '../../targets/opened-store.ts';
import { parseSourceLocation } from '../../targets/path.ts';

/** Returns a switch. */
export function flag({ options }: ParsedArguments, name: string): boolean {
  return options[name] === true;
}

/** Returns the value of an option. */
export function value({ options }: ParsedArguments, name: string): string | undefined {
  const given = options[name];
  return typeof given === 'string' ? given : undefined;
}

/** Returns all values of a repeatable option. */
export function values({ options }: ParsedArguments, name: string): readonly string[] {
  const given = options[name];
  if (typeof given === 'string') return [given];
  return Array.isArray(given) ? given.map(String) : [];
}

/** Returns a required positional argument. */
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

/** Parses a required positional argument as a location that is read or changed. */
export async function locationArgument(
  args: ParsedArguments,
  index: number,
  name: string,
  { io }: Context,
  hint?: string,
): Promise<Location> {
  return parseSourceLocation(positional(args, index, name, hint), io);
}

/** How an image is looked up: docker's own names of a command mean images of this machine first. */
export function lookup({ typed }: ParsedArguments): OpenOptions {
  return typed?.startsWith('image ') === true ? { preferLocal: true } : { orLocal: true };
}

/** Parses the value of `--platform`, or of another option for a platform. */
export function platformOption(
  args: ParsedArguments,
  { io }: Context,
  name = 'platform',
): Platform | undefined {
  const typed = value(args, name);
  return typed === undefined ? undefined : parsePlatform(typed, io.host);
}

/** Returns the platform of `--platform` beside that of this machine, which decides without it. */
export function platformChoice(args: ParsedArguments, context: Context): PlatformChoice {
  return { platform: platformOption(args, context), host: context.io.host };
}

/** Parses the value of an option that counts from 1 to `maximum`. */
export function countOption(
  args: ParsedArguments,
  name: string,
  maximum: number,
): number | undefined {
  const typed = value(args, name);
  return typed === undefined ? undefined : parseCount(`--${name}`, typed, 1, maximum);
}

/**
 * Parses the `KEY=VALUE` values of `--annotation`; the last value of a key wins.
 *
 * @throws {UsageError}
 */
export function annotationsOption(args: ParsedArguments): Readonly<Record<string, string>> {
  return Object.fromEntries(
    values(args, 'annotation').map((text) => {
      const at = text.indexOf('=');
      if (at < 1)
        throw new UsageError(`Cannot use ${quote(text)} for "--annotation": expected KEY=VALUE`, {
          hint: 'such as --annotation org.example.build=42',
        });
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
