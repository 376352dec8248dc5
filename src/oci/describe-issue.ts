import type * as z from 'zod/mini';

import { quote } from '../quote.ts';

/** First complaint of a failed parse, such as `expected string, found number at "digest"`. */
export function describeIssue(error: z.core.$ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'unexpected shape';
  const path = issue.path.join('.');
  const keys =
    issue.code === 'unrecognized_keys'
      ? `unknown key ${issue.keys.map((key) => quote(key)).join(', ')}`
      : 'unexpected value';
  const wanted = 'expected' in issue ? `expected ${String(issue.expected)}` : keys;
  return path === '' ? wanted : `${wanted} at ${quote(path)}`;
}
