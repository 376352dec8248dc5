import { UsageError } from '../../errors.ts';

/**
 * `KEY=VALUE` annotations; the last of a key counts.
 *
 * @throws {UsageError}
 */
export function parseAnnotations(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1)
        throw new UsageError(
          `Cannot use ${JSON.stringify(text)} for "--annotation": expected KEY=VALUE`,
          {
            hint: 'such as --annotation org.example.build=42',
          },
        );
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
