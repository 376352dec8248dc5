import pLimit from 'p-limit';

import { LimitExceededError } from '../../bytes.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { artifactTypeOf } from '../../oci/manifest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { canListReferrers, type CallOptions, type Source } from '../../store.ts';
import { isAttestation } from '../copy/choose-platform.ts';
import { cosignTags } from './copy.ts';
import { readManifest, type ManifestNode } from '../copy/read-manifest.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';
import { together } from '../../concurrency/together.ts';

/** Something that signs or describes an image, and what refers to it in turn. */
export interface ReferrerNode {
  readonly descriptor: Descriptor;
  readonly artifactType: string | undefined;
  /** Where it was found: it names the image as its subject, has a tag of cosign's, or stands beside the image in its index. */
  readonly found: 'subject' | 'tag' | 'index';
  /** Of cosign. */
  readonly tag: string | undefined;
  readonly referrers: readonly ReferrerNode[];
}

/** An image, or one of the manifests of its index, with what refers to it. */
export interface SubjectNode {
  readonly descriptor: Descriptor;
  /** Of a manifest of an index. */
  readonly platform: string | undefined;
  readonly referrers: readonly ReferrerNode[];
}

export interface ReferrerTreeOptions extends CallOptions {
  /** Only nodes of such a type are kept, and those that lead to one. */
  readonly accepts?: ((artifactType: string) => boolean) | undefined;
}

/** Requests at once: each manifest of an index has its own, and three tags. */
const AT_ONCE = 8;

/** Finds what refers to an image and to each manifest of its index, to any depth: by subject, by cosign's tags, and attestations inside the index. */
export async function referrerTree(
  source: Source,
  root: ManifestNode,
  { accepts = () => true, signal = new AbortController().signal }: ReferrerTreeOptions = {},
): Promise<readonly SubjectNode[]> {
  const walk = new ReferrerWalk(source);
  const { manifest } = root;
  const children =
    manifest.kind === 'index' ? manifest.manifests.filter((entry) => !isAttestation(entry)) : [];
  const attestations = manifest.kind === 'index' ? manifest.manifests.filter(isAttestation) : [];
  const subjects = [root.descriptor, ...children];
  return together(
    subjects.map((descriptor, index) => async (either: AbortSignal): Promise<SubjectNode> => {
      const beside = attestations.filter(
        ({ annotations }) => annotations?.['vnd.docker.reference.digest'] === descriptor.digest,
      );
      const referrers = await walk.referrersOf(descriptor, beside, either);
      return {
        descriptor,
        platform: index === 0 ? undefined : platformOf(descriptor),
        referrers: kept(referrers, accepts),
      };
    }),
    signal,
  );
}

class ReferrerWalk {
  readonly #source: Source;
  readonly #limit = pLimit(AT_ONCE);
  #count = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  async referrersOf(
    subject: Descriptor,
    beside: readonly Descriptor[],
    signal: AbortSignal,
  ): Promise<readonly ReferrerNode[]> {
    const [listed, tagged] = await together(
      [
        (either: AbortSignal) => this.#list(subject, new Set([subject.digest]), either),
        (either: AbortSignal) => this.#tagged(subject.digest, either),
      ],
      signal,
    );
    const attested = beside.map((descriptor): ReferrerNode => ({
      descriptor,
      artifactType: ATTESTATION,
      found: 'index',
      tag: undefined,
      referrers: [],
    }));
    return [...listed, ...tagged, ...attested];
  }

  /** @param above manifests on the way here: a registry may say that two refer to each other. */
  async #list(
    subject: Descriptor,
    above: ReadonlySet<Digest>,
    signal: AbortSignal,
  ): Promise<readonly ReferrerNode[]> {
    const source = this.#source;
    if (!canListReferrers(source) || above.size > LIMITS.indexDepth) return [];
    const found = await this.#limit(async () => {
      const list: Descriptor[] = [];
      for await (const descriptor of source.listReferrers(subject, { signal })) {
        this.#count += 1;
        if (this.#count > LIMITS.descriptors)
          throw new LimitExceededError(
            `Cannot list the referrers of ${subject.digest}: expected at most ${LIMITS.descriptors}`,
          );
        if (!above.has(descriptor.digest)) list.push(descriptor);
      }
      return list;
    });
    return together(
      found.map((descriptor) => async (either: AbortSignal): Promise<ReferrerNode> => {
        const artifactType = descriptor.artifactType ?? (await this.#typeOf(descriptor, either));
        const referrers = await this.#list(
          descriptor,
          new Set([...above, descriptor.digest]),
          either,
        );
        return { descriptor, artifactType, found: 'subject', tag: undefined, referrers };
      }),
      signal,
    );
  }

  async #tagged(digest: Digest, signal: AbortSignal): Promise<readonly ReferrerNode[]> {
    const found = await together(
      cosignTags(digest).map(
        (tag) =>
          async (either: AbortSignal): Promise<ReferrerNode | undefined> => {
            const descriptor = await this.#limit(() =>
              resolveIfThere(this.#source, tag, { signal: either }),
            );
            if (descriptor === undefined) return undefined;
            return {
              descriptor,
              artifactType: await this.#typeOf(descriptor, either),
              found: 'tag',
              tag,
              referrers: [],
            };
          },
      ),
      signal,
    );
    return found.filter((node) => node !== undefined);
  }

  /** Lists of old registries do not tell it. */
  async #typeOf(descriptor: Descriptor, signal: AbortSignal): Promise<string | undefined> {
    const { manifest } = await this.#limit(() =>
      readManifest(this.#source, descriptor, { signal }),
    );
    return artifactTypeOf(manifest);
  }
}

const ATTESTATION = 'application/vnd.in-toto+json';

function kept(
  nodes: readonly ReferrerNode[],
  accepts: (artifactType: string) => boolean,
): readonly ReferrerNode[] {
  return nodes.flatMap((node) => {
    const referrers = kept(node.referrers, accepts);
    return referrers.length > 0 || accepts(node.artifactType ?? '') ? [{ ...node, referrers }] : [];
  });
}

function platformOf({ platform }: Descriptor): string | undefined {
  return platform === undefined || platform.os === 'unknown' ? undefined : formatPlatform(platform);
}
