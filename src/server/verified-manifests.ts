import { collectVerified } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-types.ts';
import { canListTags, type CallOptions, type Store } from '../store.ts';
import { isCarried } from '../trust/collect.ts';
import { judge, type Gate } from '../trust/gate.ts';
import { manifestsIn } from '../trust/manifests-in.ts';

/** Decides whether a manifest may be served. */
export type Admits = (store: Store, manifest: Descriptor, options: CallOptions) => Promise<boolean>;

export interface VerifierOptions {
  /** Opens the gate of a repository of the place. @throws {RegiError} where no rule covers it. */
  readonly gateOf: (repository: string) => Promise<Gate>;
  /** Called with the reason of each refusal. Clients do not learn it. */
  readonly onRefused: (line: string) => void;
}

/**
 * Lets manifests be served that verify, those that a verified index of the same repository leads
 * to, and signatures. For a place that nothing writes: what was verified once stays so.
 */
export function createVerifier({ gateOf, onRefused }: VerifierOptions): Admits {
  const verified = new Map<string, Set<Digest>>();
  /** The manifests below each index. Its digest is proof of them. */
  const below = new Map<Digest, ReadonlySet<Digest>>();

  const manifestsBelow = async (
    store: Store,
    index: Descriptor,
    options: CallOptions,
  ): Promise<ReadonlySet<Digest>> => {
    const known = below.get(index.digest);
    if (known !== undefined) return known;
    const { images, indexes } = await manifestsIn(store, [index], options);
    const all = new Set([...images, ...indexes]);
    below.set(index.digest, all);
    return all;
  };

  /** Returns the reason for a refusal. */
  const verify = async (
    store: Store,
    manifest: Descriptor,
    options: CallOptions,
  ): Promise<string | undefined> => {
    const found = await unlessUncovered(() => gateOf(store.repository));
    if (found instanceof RegiError) return found.message;
    const { rule, ...gate } = found;
    // The name is one that the place states, so it may open no scope.
    if (rule.kind === 'accept')
      return `only the place says that it is of the scope ${gate.scope}, which needs no signature`;
    const good = verified.get(store.repository) ?? new Set();
    verified.set(store.repository, good);
    const isVerified = async (one: Descriptor): Promise<string | undefined> => {
      const report = await judge({ ...gate, rule }, store, one, options);
      if (!report.accepted) {
        const reasons = report.candidates.map(({ reason }) => reason);
        return `step ${report.step}: ${report.reason ?? reasons[0] ?? 'it has no signature'}`;
      }
      good.add(one.digest);
      if (isIndexType(one.mediaType))
        for (const child of await manifestsBelow(store, one, options)) good.add(child);
      return undefined;
    };
    const reason = await isVerified(manifest);
    if (reason === undefined) return undefined;
    for await (const index of indexesOf(store, options)) {
      if (index.digest === manifest.digest) continue;
      try {
        const children = await manifestsBelow(store, index, options);
        if (children.has(manifest.digest) && (await isVerified(index)) === undefined)
          return undefined;
      } catch (error) {
        options.signal?.throwIfAborted();
        // One damaged index of many vouches for nothing.
        if (!(error instanceof RegiError)) throw error;
      }
    }
    return reason;
  };

  return async (store, manifest, options) => {
    if (verified.get(store.repository)?.has(manifest.digest) === true) return true;
    if (await isSignature(store, manifest, options)) return true;
    const reason = await verify(store, manifest, options);
    if (reason === undefined) return true;
    onRefused(`Refused ${store.repository}@${manifest.digest}: ${reason}`);
    return false;
  };
}

/** Returns the refusal where no rule of the policy covers a repository. */
async function unlessUncovered(open: () => Promise<Gate>): Promise<Gate | RegiError> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof RegiError && error.code === 'POLICY_REFUSED') return error;
    throw error;
  }
}

/** Yields the indexes that tags of a repository name. */
async function* indexesOf(store: Store, options: CallOptions): AsyncGenerator<Descriptor> {
  if (!canListTags(store)) return;
  const known = new Set<Digest>();
  for await (const tag of store.listTags(options)) {
    const root = await store.resolve(tag, options);
    if (!isIndexType(root.mediaType) || known.has(root.digest)) continue;
    known.add(root.digest);
    yield root;
  }
}

/** True for a manifest all of whose layers are signatures: it runs nowhere. */
async function isSignature(
  store: Store,
  manifest: Descriptor,
  options: CallOptions,
): Promise<boolean> {
  if (isIndexType(manifest.mediaType)) return false;
  const content = store.fetch(manifest, options);
  const bytes = await collectVerified(content, manifest, LIMITS.manifestBytes);
  const parsed = parseManifest(bytes, manifest.mediaType);
  return parsed.kind === 'image' && isCarried(parsed);
}
