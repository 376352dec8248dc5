import type { CopySession } from '../../operations/copy/session.ts';
import { RegiError } from '../../errors.ts';
import { repositoryName } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { isResponseError } from '../../registry/errors.ts';
import { canListTags, type CallOptions, type Source, type Store } from '../../store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { platformsKey } from '../run/platforms.ts';
import { matchesAny, type Route } from './routes.ts';
import { areAllPlain, selectTags, type Selected } from './select.ts';

/**
 * The tags of a repository; undefined where they are not known, so that each has to be asked for.
 */
export type TagList = ReadonlySet<string> | undefined;

/** A route with its lists read. */
export interface PlannedRoute {
  readonly route: Route;
  readonly source: Source;
  readonly sourceTags: TagList;
  /** Undefined for an entry of one image. */
  readonly selected: Selected | undefined;
  readonly images: readonly PlannedImage[];
}

/** One image of one destination. */
export interface PlannedImage {
  /** The tag or digest to resolve at the source. */
  readonly reference: string;
  /** The tag at the source; undefined for a digest without a tag. */
  readonly sourceTag: string | undefined;
  /** The tag at the destination; undefined for a digest without a tag. */
  readonly tag: string | undefined;
  /** Matches `immutable` and is in both lists: nothing is asked. */
  readonly isSettled: boolean;
}

export interface RouteFailure {
  readonly route: Route;
  /** Undefined where the whole route failed. */
  readonly reference?: string | undefined;
  readonly error: RegiError;
}

/** All that is written to one repository. */
export interface RepositoryPlan {
  readonly name: string;
  readonly destination: Store;
  readonly destinationTags: TagList;
  readonly routes: readonly PlannedRoute[];
  readonly failures: readonly RouteFailure[];
}

export interface PlanOptions extends CallOptions {
  readonly signal: AbortSignal;
  /** Also for the digests of immutable tags. */
  readonly asksAll: boolean;
  readonly prune: boolean;
  /** Reads the creation dates of source tags, for `latest: { sort: created }`. */
  readonly createdOf: (
    source: Source,
    tags: readonly string[],
  ) => Promise<ReadonlyMap<string, string | undefined>>;
}

/**
 * Reads the lists that one destination repository needs, and selects its images. Writes nothing.
 */
export async function planRepository(
  routes: readonly Route[],
  session: CopySession,
  stores: Stores,
  options: PlanOptions,
): Promise<RepositoryPlan> {
  const [first] = routes;
  if (first === undefined) throw new Error('A repository is written by at least one route');
  const { name, within: repository } = first;
  const opened = await stores.open(first.destination, 'destination', { repository });
  const destination = opened.store;
  const needsList = routes.some((route) => needsLists(route, options));
  const [destinationTags, sources] = await Promise.all([
    needsList ? listDestination(destination, routes, session, options) : undefined,
    planSources(routes, session, stores, options),
  ]);
  return {
    ...sources,
    name,
    destination,
    destinationTags,
    routes: sources.routes.map((route) => settled(route, destinationTags, options)),
  };
}

/** Reads the lists of the sources of one destination, and selects its images. */
export async function planSources(
  routes: readonly Route[],
  session: CopySession,
  stores: Stores,
  options: PlanOptions,
): Promise<Pick<RepositoryPlan, 'failures' | 'name' | 'routes'>> {
  const name = routes[0]?.name ?? '';
  const failures: RouteFailure[] = [];
  const planned = await Promise.all(
    routes.map(async (route) => {
      try {
        return await planRoute(route, session, stores, options);
      } catch (error) {
        options.signal.throwIfAborted();
        if (!(error instanceof RegiError)) throw error;
        failures.push({ route, error });
        return undefined;
      }
    }),
  );
  const found = planned.filter((route) => route !== undefined);
  for (const { route, selected } of found) failures.push(...selectionFailures(route, selected));
  const conflicts = findConflicts(found, name);
  failures.push(...conflicts);
  const isRefused = new Set(conflicts.map(({ route }) => route));
  return {
    name,
    routes: found.filter(
      ({ route, selected }) => !isRefused.has(route) && selected?.tooFew === undefined,
    ),
    failures,
  };
}

/** Names alone need no list, unless a field of the entry compares lists. */
function needsLists({ entry, only }: Route, { prune }: PlanOptions): boolean {
  if (only !== undefined) return prune && entry.prune !== undefined;
  return (
    !areAllPlain(entry.selection) ||
    entry.referrers !== false ||
    entry.immutable.length > 0 ||
    (prune && entry.prune !== undefined)
  );
}

async function planRoute(
  route: Route,
  session: CopySession,
  stores: Stores,
  options: PlanOptions,
): Promise<PlannedRoute> {
  const { entry, only } = route;
  const source =
    route.held ??
    (await stores.open({ kind: 'registry', reference: only ?? route.source }, 'source')).store;
  const sourceTags = needsLists(route, options)
    ? await listSource(source, route, session, options.signal)
    : undefined;
  if (only !== undefined) {
    const { tag, digest } = only;
    return {
      route,
      source,
      sourceTags,
      selected: undefined,
      images: [
        {
          reference: digest ?? tag ?? 'latest',
          sourceTag: tag,
          tag: filledTag(route.tag, tag),
          isSettled: false,
        },
      ],
    };
  }
  const names = sourceTags === undefined ? entry.selection.tags : [...sourceTags];
  const selected = await selectTags(names, entry.selection, (tags) =>
    options.createdOf(source, tags),
  );
  const images = selected.tags.map((tag) => ({
    reference: tag,
    sourceTag: tag,
    tag: filledTag(route.tag, tag),
    isSettled: false,
  }));
  return { route, source, sourceTags, selected, images };
}

/** A digest without a tag gets one only where the destination writes it out. */
function filledTag(template: string, tag: string | undefined): string | undefined {
  if (tag === undefined && template.includes('{tag}')) return undefined;
  return template.replaceAll('{tag}', tag ?? '');
}

/**
 * Lists the source whole. Names alone can do without: one that is missing fails when it is asked
 * for.
 */
async function listSource(
  source: Source,
  { entry, only }: Route,
  session: CopySession,
  signal: AbortSignal,
): Promise<TagList> {
  try {
    return await listTags(source, session, signal);
  } catch (error) {
    signal.throwIfAborted();
    const isOptional = only !== undefined || areAllPlain(entry.selection);
    if (isOptional && error instanceof RegiError) return undefined;
    throw error;
  }
}

/**
 * Lists the destination. A repository that is missing is empty; after any other failure nothing is
 * known of its tags, and each is asked for.
 */
async function listDestination(
  destination: Store,
  routes: readonly Route[],
  session: CopySession,
  { signal }: PlanOptions,
): Promise<TagList> {
  try {
    return await listTags(destination, session, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RegiError)) throw error;
    if (error.code !== 'NOT_FOUND') return undefined;
    // A registry that keeps no lists says 404 too: a tag that must not move is asked for.
    const mayMove = routes.every(({ entry }) => entry.moved === 'follow');
    return mayMove || isUnknownName(error) ? new Set() : undefined;
  }
}

function isUnknownName(error: RegiError): boolean {
  return (
    isResponseError(error, 'NOT_FOUND') &&
    error.problems.some(({ code }) => code === 'NAME_UNKNOWN')
  );
}

async function listTags(
  store: Source,
  session: CopySession,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (!canListTags(store))
    throw new RegiError('UNSUPPORTED', `Cannot list the tags of "${store.place}"`);
  const tags = new Set<string>();
  await session.ask(store, signal, async () => {
    for await (const tag of store.listTags({ signal, whole: true })) tags.add(tag);
  });
  return tags;
}

function selectionFailures(route: Route, selected: Selected | undefined): readonly RouteFailure[] {
  const source = repositoryName(route.source);
  const { tooFew, missing = [] } = selected ?? {};
  if (tooFew !== undefined) {
    return [
      {
        route,
        error: new RegiError(
          'NOT_FOUND',
          `Cannot sync ${quote(source)}: expected at least ${tooFew.wanted} tags, found ${tooFew.found}`,
          { hint: 'check "tags" and "min" of the entry, or the source' },
        ),
      },
    ];
  }
  return missing.map((tag) => ({
    route,
    reference: tag,
    error: new RegiError('NOT_FOUND', `Cannot find ${quote(`${source}:${tag}`)}`, {
      hint: `list its tags: regi tags list ${source}`,
    }),
  }));
}

/** Finds tags of one destination that two sources would write. The same image twice is no harm. */
function findConflicts(routes: readonly PlannedRoute[], name: string): readonly RouteFailure[] {
  const owners = new Map<string, { readonly source: string; readonly route: Route }>();
  const failed = new Map<Route, RegiError>();
  for (const { route, images } of routes) {
    for (const { reference, tag } of images) {
      if (tag === undefined) continue;
      // Two forms of one image would replace each other in every run.
      const source = [sourceName(route, reference), formOf(route)].filter(Boolean).join(' ');
      const owner = owners.get(tag);
      if (owner === undefined) owners.set(tag, { source, route });
      else if (owner.source !== source) {
        const error = new RegiError(
          'REFUSED',
          `Cannot write ${quote(`${name}:${tag}`)}: expected one source, found ${quote(owner.source)} and ${quote(source)}`,
          { hint: 'narrow "tags" of one entry, give it the same "platforms", or another "to"' },
        );
        failed.set(route, error);
        failed.set(owner.route, error);
      }
    }
  }
  return [...failed].map(([route, error]) => ({ route, error }));
}

/** How an entry changes its images; empty where it does not. */
function formOf({ entry: { platforms, sparse } }: Route): string {
  return `${platformsKey(platforms)}${sparse ? ' sparse' : ''}`;
}

export function sourceName({ source }: Route, reference: string): string {
  return `${repositoryName(source)}${reference.includes(':') ? '@' : ':'}${reference}`;
}

function settled(
  planned: PlannedRoute,
  destinationTags: TagList,
  { asksAll }: PlanOptions,
): PlannedRoute {
  const { route, sourceTags, images } = planned;
  const { immutable } = route.entry;
  if (asksAll || immutable.length === 0 || destinationTags === undefined) return planned;
  const isImmutable = matchesAny(immutable);
  return {
    ...planned,
    images: images.map((image) => ({
      ...image,
      isSettled:
        image.sourceTag !== undefined &&
        image.tag !== undefined &&
        sourceTags?.has(image.sourceTag) === true &&
        destinationTags.has(image.tag) &&
        isImmutable(image.sourceTag),
    })),
  };
}
