import { RegiError } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { referenceIn } from '../../oci/reference.ts';
import {
  blobsNotCarried,
  bringBase,
  locateBases,
  type BaseNeed,
} from '../../operations/archive/base-layers.ts';
import type { Wanted } from '../../operations/copy/narrow-image.ts';
import type { CopySession } from '../../operations/copy/session.ts';
import { quote } from '../../quote.ts';
import type { Store } from '../../store.ts';
import { withKnownBlobs } from '../../targets/image-source.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { siblingOf, type Route } from '../plan/routes.ts';

/**
 * Finds the layers that an archive leaves out at the destination, in the image's repository or in
 * those of other images of the archive, and mounts them. Returns the destination, which then has
 * them.
 *
 * @throws {RegiError} NOT_FOUND when one is nowhere; nothing of the image is written then.
 */
export async function bringOmitted(
  route: Route,
  destination: Store,
  root: Descriptor,
  {
    wanted,
    session,
    stores,
    signal,
  }: {
    readonly wanted: Wanted;
    readonly session: CopySession;
    readonly stores: Stores;
    readonly signal: AbortSignal;
  },
): Promise<Store> {
  const { held } = route;
  if (held === undefined || held.omitted.size === 0) return destination;
  const layers = await blobsNotCarried(held, root, wanted, { signal });
  const needs = await Promise.all(
    layers.map(async (layer): Promise<BaseNeed> => {
      const names = held.omitted.get(layer.digest) ?? [];
      const others = names.flatMap((name) => {
        const known = referenceIn(name);
        return known === undefined ? [] : (siblingOf(route, known) ?? []);
      });
      const opened = await Promise.all(
        others.map(async (reference) => {
          const { store } = await stores.open({ kind: 'registry', reference }, 'destination');
          return store;
        }),
      );
      const candidates = opened.filter(
        ({ place, repository }) =>
          place === destination.place && repository !== destination.repository,
      );
      return { layer, destination, candidates };
    }),
  );
  const { lanes, onEvent } = session;
  const origins = await locateBases(needs, { lanes, signal });
  const missing = needs.filter((_, at) => origins[at]?.kind === 'nowhere');
  if (missing.length > 0) throw missingLayers(route, missing);
  for (const [at, need] of needs.entries()) {
    const origin = origins[at];
    if (origin?.kind === 'held') await bringBase(need, origin.by, { lanes, signal, onEvent });
  }
  return withKnownBlobs(destination, new Set(layers.map(({ digest }) => digest)));
}

function missingLayers({ name, entry }: Route, missing: readonly BaseNeed[]): RegiError {
  const from = entry.from.kind === 'place' ? entry.from.text : entry.name;
  return new RegiError(
    'NOT_FOUND',
    `Cannot write to ${quote(name)}: ${quote(from)} leaves out ${formatCount(missing.length, 'layer')} that it lacks, ${missing[0]?.layer.digest} first`,
    { hint: 'sync the earlier archive there first, or write the archive without "since"' },
  );
}
