/**
 * The texts of the list that is member `name` of a JSON object. A missing or null list is an empty one: distribution says
 * `"tags":null` of a repository that lost its last tag. Undefined when it is something else, such as errors with status 200.
 */
export function stringsIn(body: unknown, name: string): readonly string[] | undefined {
  const list = memberOf(body, name);
  if (list.kind === 'none') return undefined;
  if (list.value === undefined || list.value === null) return [];
  return Array.isArray(list.value) && list.value.every((item) => typeof item === 'string') ? list.value : undefined;
}

/** The items of such a list, each still to be parsed. */
export function itemsIn(body: unknown, name: string): readonly unknown[] | undefined {
  const list = memberOf(body, name);
  if (list.kind === 'none') return undefined;
  if (list.value === undefined || list.value === null) return [];
  return Array.isArray(list.value) ? list.value : undefined;
}

function memberOf(body: unknown, name: string): { readonly kind: 'some'; readonly value: unknown } | { readonly kind: 'none' } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { kind: 'none' };
  const value = (body as Readonly<Record<string, unknown>>)[name];
  return value === undefined && 'errors' in body ? { kind: 'none' } : { kind: 'some', value };
}
