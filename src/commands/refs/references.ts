import { inOrder } from '../../concurrency/in-order.ts';
import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import {
  formatReference,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../../oci/reference.ts';
import type { Finding } from '../../refs/found.ts';
import { lineAndColumn } from '../../refs/position.ts';
import { flag } from '../arguments/arguments.ts';
import { searchedFiles } from './find.ts';

/** An image that files name, and the first place that names it. */
export interface NamedReference {
  /** Tagged `latest` if it has neither tag nor digest. */
  readonly reference: Reference;
  /** `deploy/web.yaml:12:16`. */
  readonly place: string;
}

/** Collects each image of the paths once, guesses only with `--guesses`. */
export async function namedReferences(
  args: ParsedArguments,
  context: Context,
): Promise<readonly NamedReference[]> {
  const guesses = flag(args, 'guesses');
  const named = new Map<string, NamedReference>();
  for await (const file of searchedFiles(args, context)) {
    for (const finding of file.findings.found) {
      if (finding.level === 'guess' && !guesses) continue;
      const reference = withDefaultTag(parseReference(finding.reference));
      const key = formatReference(reference);
      if (named.has(key)) continue;
      const { line, column } = lineAndColumn(file.text, finding.at);
      named.set(key, { reference, place: `${file.path}:${line}:${column}` });
    }
  }
  if (named.size === 0) context.note('Found no images in these files');
  return [...named.values()];
}

/** True for a finding that a command acts on without being told to guess. */
export function isSure({ level }: Finding): boolean {
  return level !== 'guess';
}

/** The result of one request, or its error. */
export type Outcome<Value> =
  | { readonly kind: 'done'; readonly image: NamedReference; readonly value: Value }
  | { readonly kind: 'failed'; readonly image: NamedReference; readonly error: RegiError };

/** Reports a failure with the place of the image in its file. Each cause is printed once. */
export function reportFailed(
  { image: { reference, place }, error }: Extract<Outcome<unknown>, { readonly kind: 'failed' }>,
  { onEvent }: Context,
): void {
  const { code, message, hint, findings, details } = error;
  const placed =
    place === ''
      ? error
      : new RegiError(code, `${place}: ${message}`, { hint, findings, details, cause: error });
  onEvent({ kind: 'failed', image: formatReference(reference), error: placed });
}

const AT_ONCE = 16;

/** Asks about each image, many at once, in their order. One failure never ends the others. */
export async function* askEach<Value>(
  images: readonly NamedReference[],
  signal: AbortSignal,
  ask: (image: NamedReference, signal: AbortSignal) => Promise<Value>,
): AsyncGenerator<Outcome<Value>> {
  const outcomes = inOrder(
    asynchronous(images),
    { limit: AT_ONCE, signal },
    async (image, inner) => {
      try {
        return { kind: 'done' as const, image, value: await ask(image, inner) };
      } catch (error) {
        return { kind: 'failed' as const, image, error };
      }
    },
  );
  for await (const outcome of outcomes) {
    signal.throwIfAborted();
    if (outcome.kind === 'done') yield outcome;
    else if (outcome.error instanceof RegiError) yield { ...outcome, error: outcome.error };
    else throw outcome.error;
  }
}

async function* asynchronous<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}
