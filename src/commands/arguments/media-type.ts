import { UsageError } from '../../errors.ts';

/** RFC 6838, 4.2, with its parameters left out: no registry takes them as an artifactType. */
const MEDIA_TYPE = /^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}$/;

/** @throws {UsageError} on what is no media type. */
export function parseMediaType(where: string, text: string): string {
  if (MEDIA_TYPE.test(text)) return text;
  throw new UsageError(
    `Cannot use ${JSON.stringify(text)} for "${where}": expected a media type, TYPE/SUBTYPE`,
    {
      hint: 'such as application/spdx+json, or application/vnd.example.report.v1',
    },
  );
}

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
