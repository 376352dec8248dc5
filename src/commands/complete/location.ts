import type { Context } from '../../context.ts';
import { listLogins } from '../../credentials/logins/list.ts';
import { familiarReference } from '../../oci/reference.ts';
import { canListTags } from '../../store.ts';
import { pathValues, type CompletedValue } from './path.ts';
import { credentialPlaces } from '../../targets/credentials.ts';
import { parseRepositoryLocation, type Location } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';

export interface LocationQuestion {
  readonly word: string;
  readonly kind: 'location' | 'local or location' | 'repository' | 'registry';
  /** True if a bare word may be an image in the local store. */
  readonly local: boolean;
}

const TRANSPORTS: readonly CompletedValue[] = [
  { value: 'oci:', note: 'an OCI image layout folder' },
  { value: 'archive:', note: 'an image archive in any format' },
  { value: 'docker-archive:', note: 'an archive in the format of docker save' },
  { value: 'oci-archive:', note: 'an OCI image layout in a tar' },
  { value: 'dir:', note: 'a folder that skopeo wrote' },
  { value: 'local:', note: 'the local store' },
  { value: 'docker://', note: 'a registry' },
];

/** A longer list would be no help, and a shell would ask before it shows one. */
const MOST = 500;

const PATH_KIND = /^(?:oci|archive|docker-archive|oci-archive|dir):/;

/** Completes a location, repository or registry. Never throws. */
export async function locationValues(
  { word, kind, local }: LocationQuestion,
  context: Context,
): Promise<readonly CompletedValue[]> {
  if (kind === 'registry') return hosts('', context);
  const path = PATH_KIND.exec(word)?.[0];
  if (path !== undefined) return insidePath(path, word.slice(path.length), kind, context);
  if (/^(?:\.{0,2}\/|~\/)/.test(word)) return pathValues('', word, context.io);
  if (word.startsWith('local:')) return localNames('local:', context);
  const lead = word.startsWith('docker://') ? 'docker://' : '';
  const typed = word.slice(lead.length);
  const slash = typed.indexOf('/');
  const colon = typed.lastIndexOf(':');
  if (
    kind !== 'repository' &&
    colon > typed.lastIndexOf('/') &&
    !isHost(typed.slice(0, colon), slash)
  )
    return tags(lead, typed.slice(0, colon), context);
  const names = local && lead === '' ? await localNames('', context) : [];
  if (slash > 0 && isHost(typed.slice(0, slash), slash))
    return [...names, ...(await repositories(lead, typed.slice(0, slash), kind, context))];
  const transports =
    lead === '' ? TRANSPORTS.filter(({ value }) => kind !== 'repository' || value === 'oci:') : [];
  return [
    ...names,
    ...transports,
    ...(await hosts(lead, context)).map(({ value }) => ({
      value: `${value}/`,
      note: 'a registry',
    })),
  ];
}

/** True if the first part of a reference is a registry, by docker's rules. A port is no tag. */
function isHost(part: string, slash: number): boolean {
  const isName = part === 'localhost' || /[.:]/.test(part);
  return slash < 0
    ? part === 'localhost' || /^\d+(?:\.\d+){3}$/.test(part)
    : isName && !part.includes('/');
}

async function insidePath(
  lead: string,
  rest: string,
  kind: LocationQuestion['kind'],
  context: Context,
): Promise<readonly CompletedValue[]> {
  const colon = rest.lastIndexOf(':');
  if (colon > 0 && kind !== 'repository' && lead !== 'dir:')
    return tags(lead, rest.slice(0, colon), context);
  return pathValues(lead, rest, context.io);
}

/** Lists the tags of a repository, OCI layout or archive. */
async function tags(
  lead: string,
  name: string,
  context: Context,
): Promise<readonly CompletedValue[]> {
  return collect(async function* () {
    const location: Location = parseRepositoryLocation(`${lead}${name}`);
    yield* withStores(context, {}, async function* (stores) {
      const { store } = await stores.open(location, 'source');
      if (canListTags(store))
        for await (const tag of store.listTags({ signal: context.signal }))
          yield { value: `${lead}${name}:${tag}` };
    });
  });
}

async function repositories(
  lead: string,
  host: string,
  kind: LocationQuestion['kind'],
  context: Context,
): Promise<readonly CompletedValue[]> {
  // The tag of an image comes next.
  const end = kind === 'repository' ? '' : ':';
  return collect(() =>
    withStores(context, {}, async function* (stores) {
      const place = await stores.openRegistry(host);
      for await (const repository of place.repositories({ signal: context.signal }))
        yield { value: `${lead}${host}/${repository}${end}` };
    }),
  );
}

/** Lists the registries with a stored login. */
async function hosts(lead: string, context: Context): Promise<readonly CompletedValue[]> {
  return collect(async function* () {
    const logins = await listLogins(credentialPlaces(context), context.signal);
    yield* logins.map(({ registry }) => ({
      value: `${lead}${registry.split('/')[0] ?? registry}`,
    }));
  });
}

async function localNames(lead: string, context: Context): Promise<readonly CompletedValue[]> {
  return collect(() =>
    withStores(context, {}, async function* (stores) {
      const images = await (await stores.openLocal('source')).images({ signal: context.signal });
      for (const { reference } of images)
        if (reference !== undefined)
          yield { value: `${lead}${familiarReference(reference)}`, note: 'in the local store' };
    }),
  );
}

/** Collects values until the end, the limit, the deadline or a failure. */
async function collect(
  list: () => AsyncIterable<CompletedValue>,
): Promise<readonly CompletedValue[]> {
  const found: CompletedValue[] = [];
  try {
    for await (const value of list()) if (found.push(value) >= MOST) break;
  } catch {
    // The command itself will report the failure.
  }
  return found;
}
