import { readAtMost } from '../http/body.ts';
import { LIMITS } from '../limits.ts';
import type { RegistryResponse } from './connection.ts';

/** What a search found. */
export interface FoundRepository {
  /** Without its registry, as the registry writes it. */
  readonly repository: string;
  readonly description: string;
  /** Who stands behind it: Docker, a company that Docker knows, an open-source project that Docker supports. */
  readonly mark: 'official' | 'verified' | 'sponsored' | undefined;
  readonly stars: number | undefined;
  /** A number, or about one where the registry tells no more: `1B+`. */
  readonly pulls: number | string | undefined;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** The objects of the list that is member `name` of an answer's JSON; undefined when there is no such list. */
export async function readResults(response: RegistryResponse, name: string, what: string): Promise<readonly JsonObject[] | undefined> {
  const body = parseObject(await readAtMost(response, LIMITS.pageBytes, what));
  const list = body?.[name];
  return Array.isArray(list) ? list.filter(isObject) : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined;
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
