import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';

/**
 * Parses `KEY=VALUE` annotations; the last value of a key wins.
 *
 * @throws {UsageError}
 */
export function parseAnnotations(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1)
        throw new UsageError(`Cannot use ${quote(text)} for "--annotation": expected KEY=VALUE`, {
          hint: 'such as --annotation org.example.build=42',
        });
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
