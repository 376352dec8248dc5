import { RegiError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../json.ts';

/**
 * Parses the YAML of another tool.
 *
 * @param name of the file, for messages.
 * @throws {RegiError} INVALID_CONFIG where it is none, or no map.
 */
export async function readOtherYaml(text: string, name: string, tool: string): Promise<JsonObject> {
  const { parse, YAMLParseError } = await import('../../yaml.ts');
  const invalid = (problem: string, cause?: unknown): RegiError =>
    new RegiError('INVALID_CONFIG', `Cannot convert ${name}: ${problem}`, {
      hint: `give a file of ${tool}`,
      cause,
    });
  let value: unknown;
  try {
    value = parse(text, { merge: true, schema: 'core', maxAliasCount: 100 });
  } catch (error) {
    if (!(error instanceof YAMLParseError) && !(error instanceof ReferenceError)) throw error;
    throw invalid(error.message, error);
  }
  if (!isJsonObject(value)) throw invalid('expected a map');
  return value;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.flatMap((one: unknown) => textOf(one) ?? []) : [];
}

export function mapOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
