import { takes, type PullSource } from '../configuration/pull-sources.ts';
import type { Context } from '../context.ts';
import type { Reference } from '../oci/reference.ts';
import { mirrored, type Alternative } from '../stores/registry/mirrored.ts';
import type { Store } from '../store.ts';

export interface OpenMirroredOptions extends Pick<Context, 'log' | 'warn'> {
  readonly open: (source: PullSource) => Store;
}

/** The store that an image is read from: `upstream` alone, or its mirrors and the place where its registry is said to be. */
export function openMirrored(
  asked: Reference,
  sources: readonly PullSource[],
  upstream: Store,
  { open, log, warn }: OpenMirroredOptions,
): Store {
  const name = nameOf(asked);
  const [only] = sources;
  if (sources.length === 1 && only !== undefined && nameOf(only.reference) === name)
    return upstream;
  const mirrors = new Set<Alternative>();
  const alternatives = sources.map((source): Alternative => {
    const sourceName = nameOf(source.reference);
    const alternative = {
      name: sourceName,
      store: sourceName === name && !source.isMirror ? upstream : open(source),
      takes: takes.bind(undefined, source),
    };
    if (source.isMirror) mirrors.add(alternative);
    return alternative;
  });
  return mirrored(upstream, {
    alternatives,
    onAnswer: (alternative) =>
      log(
        `"${name}" is read from ${mirrors.has(alternative) ? 'its mirror ' : ''}"${alternative.name}"`,
      ),
    onFailure: (alternative, error) => {
      if (error.code === 'NOT_FOUND')
        log(`"${alternative.name}" does not have it: ${error.message}`);
      else
        warn(
          `"${alternative.name}" is passed over, a mirror of "${name}": ${error.message}`,
          error.hint,
        );
    },
  });
}

function nameOf({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}
