import { collectVerified, LimitExceededError } from '../bytes.ts';
import { RegiError, UnprovedAbsenceError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { algorithmOf, encodedOf, type Digest } from '../oci/digest.ts';
import { parseManifest, type ImageManifest } from '../oci/manifest.ts';
import { isIndexType, MEDIA_TYPE } from '../oci/media-types.ts';
import { alternativesOf, canListReferrers, type CallOptions, type Source } from '../store.ts';
import {
  BUNDLE_TYPE_PREFIX,
  ENVELOPE_TYPE,
  parseBundle,
  parseEnvelope,
  parseSimpleSigning,
  SIMPLE_SIGNING_TYPE,
  type Candidate,
} from './candidate.ts';
import type { Refusal } from './verdict.ts';

/** Something that may be a signature, with the manifest that carries it. */
export interface CollectedCandidate {
  /** The tag or digest that led to it, for people. */
  readonly origin: string;
  readonly manifest: Descriptor;
  readonly candidate: Candidate | Refusal;
}

/**
 * A manifest all of whose layers are signatures. It moves along with its image, and no rule asks
 * for its own signature.
 */
export interface CarriedSignature {
  readonly source: Source;
  readonly descriptor: Descriptor;
  /** The tag of cosign that leads to it; undefined for a referrer. */
  readonly tag: string | undefined;
}

export interface Collected {
  readonly candidates: readonly CollectedCandidate[];
  readonly carried: readonly CarriedSignature[];
  /** Manifests and layers that cannot be signatures, each with the reason. */
  readonly skipped: readonly string[];
  /** Failures of some of several places. Where a signature is missing, it may be there. */
  readonly failures: readonly RegiError[];
}

export interface CollectOptions extends CallOptions {
  /** Whether attestations in cosign's older form are wanted too. */
  readonly attestations: boolean;
  /** True if only the tags of cosign are read, and no lists of referrers. */
  readonly tagsAlone?: boolean | undefined;
  /** Another repository that keeps signatures. */
  readonly signaturesFrom?: Source | undefined;
  /** The full name of the repository, where the source holds several and names tags in full. */
  readonly repository?: string | undefined;
  readonly maximum?: number | undefined;
}

const MAX_CANDIDATES = 100;
const MAX_CANDIDATE_BYTES = 4 * 1024 * 1024;
/** The config of cosign's signatures in its OCI 1.1 mode, which have no artifact type. */
const OCI_11_SIGNATURE_TYPE = 'application/vnd.dev.cosign.artifact.sig.v1+json';

/**
 * Collects what may be signatures of `digest`: the tags of cosign, and referrers, of the registry
 * and of each of its mirrors. Types and annotations of a list are hints: an entry without a type is
 * read, and its layers decide.
 *
 * @throws {RegiError} what the only source throws, except for absence; LIMIT_EXCEEDED for more than
 *   `maximum` candidates. A list that cannot be read is never "unsigned".
 */
export async function collectCandidates(
  source: Source,
  digest: Digest,
  options: CollectOptions,
): Promise<Collected> {
  const sources = [
    ...alternativesOf(source),
    ...(options.signaturesFrom === undefined ? [] : alternativesOf(options.signaturesFrom)),
  ];
  const collecting = new Collecting(digest, options, sources.length > 1);
  const failures: RegiError[] = [];
  for (const one of sources) {
    try {
      await collecting.readFrom(one);
    } catch (error) {
      // A broken mirror can hide signatures, as a hostile one can. It must not keep the others from
      // being found.
      if (!(error instanceof RegiError) || sources.length === 1 || FINAL.has(error.code)) {
        throw error;
      }
      failures.push(error);
    }
  }
  const [first] = failures;
  if (first !== undefined && failures.length === sources.length) throw first;
  const { candidates, carried, skipped } = collecting;
  return { candidates, carried, skipped, failures };
}

const FINAL: ReadonlySet<string> = new Set(['INTERRUPTED', 'LIMIT_EXCEEDED', 'USAGE']);

/**
 * Keeps one manifest for each tag, because the destination has room for one. A manifest with an
 * accepted signature wins, so that a mirror cannot exchange it. Otherwise the last place wins: the
 * registry comes after its mirrors.
 *
 * @param accepted the manifests with an accepted signature.
 */
export function oneOfEachTag(
  carried: readonly CarriedSignature[],
  accepted: ReadonlySet<Digest>,
): readonly CarriedSignature[] {
  const kept = new Map<string, CarriedSignature>();
  for (const one of carried) {
    const name = one.tag ?? one.descriptor.digest;
    const before = kept.get(name);
    const isWorse =
      before !== undefined &&
      accepted.has(before.descriptor.digest) &&
      !accepted.has(one.descriptor.digest);
    if (!isWorse) kept.set(name, one);
  }
  return [...kept.values()];
}

class Collecting {
  readonly candidates: CollectedCandidate[] = [];
  readonly carried: CarriedSignature[] = [];
  readonly skipped: string[] = [];
  readonly #digest: Digest;
  readonly #options: CollectOptions;
  readonly #maximum: number;
  /** Another place may have what one lacks. */
  readonly #isMirrored: boolean;
  /** Manifests that a source had whole: the next one is not asked for them. */
  readonly #known = new Set<string>();

  constructor(digest: Digest, options: CollectOptions, isMirrored: boolean) {
    this.#isMirrored = isMirrored;
    this.#digest = digest;
    this.#options = options;
    this.#maximum = options.maximum ?? MAX_CANDIDATES;
  }

  async readFrom(source: Source): Promise<void> {
    let manifests = 0;
    for await (const { tag, manifest } of this.#manifestsIn(source)) {
      // Bounds the requests, too: a list without types makes every entry worth a look.
      if ((manifests += 1) > this.#maximum) throw this.#tooMany();
      const name = `${tag ?? ''} ${manifest.digest}`;
      if (this.#known.has(name)) continue;
      if (await this.#readManifest(source, manifest, tag)) this.#known.add(name);
    }
  }

  async *#manifestsIn(
    source: Source,
  ): AsyncGenerator<{ readonly tag: string | undefined; readonly manifest: Descriptor }> {
    const digest = this.#digest;
    const kinds = this.#options.attestations ? ['sig', 'att'] : ['sig'];
    for (const kind of algorithmOf(digest) === 'sha256' ? kinds : []) {
      const tag = `sha256-${encodedOf(digest)}.${kind}`;
      const manifest = await this.#resolveTag(source, tag);
      // GitLab resolves tags of that shape to the subject itself.
      if (manifest !== undefined && manifest.digest !== digest) yield { tag, manifest };
    }
    if (this.#options.tagsAlone === true || !canListReferrers(source)) return;
    // Lists of referrers are asked for by digest alone.
    const subject = { mediaType: MEDIA_TYPE.ociManifest, digest, size: 0 };
    let listed = 0;
    for await (const entry of source.listReferrers(subject, { ...this.#options, whole: true })) {
      if ((listed += 1) > LIMITS.referrersOfNode) throw this.#tooMany();
      if (mayBeSignature(entry)) yield { tag: undefined, manifest: entry };
      else this.skipped.push(`${entry.digest}: ${entry.artifactType ?? entry.mediaType}`);
    }
  }

  async #resolveTag(source: Source, tag: string): Promise<Descriptor | undefined> {
    const { repository } = this.#options;
    const names = repository === undefined ? [tag] : [`${repository}:${tag}`, tag];
    for (const name of names) {
      try {
        return await source.resolve(name, this.#options);
      } catch (error) {
        if (!(error instanceof RegiError) || error.code !== 'NOT_FOUND') throw error;
        if (error instanceof UnprovedAbsenceError) throw error;
      }
    }
    return undefined;
  }

  /** Returns false if the source lacks a part of it, which another source may have. */
  async #readManifest(
    source: Source,
    manifest: Descriptor,
    tag: string | undefined,
  ): Promise<boolean> {
    const origin = tag ?? manifest.digest;
    const image = await this.#readImage(source, manifest, origin);
    if (image === undefined) return false;
    const signatures = image.layers.filter((layer) => parserOf(layer) !== undefined);
    if (signatures.length === 0) this.skipped.push(`${origin}: it has no signature`);
    let isWhole = true;
    for (const layer of signatures) {
      if (this.candidates.length === this.#maximum) throw this.#tooMany();
      const bytes = await this.#read(source, layer, origin);
      const candidate = bytes && parserOf(layer)?.(bytes);
      if (candidate === undefined) isWhole = false;
      else this.candidates.push({ origin, manifest, candidate });
    }
    // A manifest that lacks a part could not be copied. One request spares the copy a bad mirror.
    if (isWhole && this.#isMirrored)
      isWhole = (await this.#read(source, image.config, origin)) !== undefined;
    if (isWhole && isCarried(image)) {
      const { mediaType, digest, size } = manifest;
      this.carried.push({ source, descriptor: { mediaType, digest, size }, tag });
    }
    return isWhole;
  }

  async #readImage(
    source: Source,
    manifest: Descriptor,
    origin: string,
  ): Promise<ImageManifest | undefined> {
    const isIndex = isIndexType(manifest.mediaType);
    const bytes = isIndex ? undefined : await this.#read(source, manifest, origin);
    if (isIndex) this.skipped.push(`${origin}: it is an index`);
    if (bytes === undefined) return undefined;
    try {
      const parsed = parseManifest(bytes, manifest.mediaType);
      if (parsed.kind === 'image') return parsed;
      this.skipped.push(`${origin}: it is an index`);
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      this.skipped.push(`${origin}: ${error.message}`);
    }
    return undefined;
  }

  /** Reads bytes that have their digest; anything else is skipped and counted. */
  async #read(source: Source, node: Descriptor, origin: string): Promise<Uint8Array | undefined> {
    if (node.size > MAX_CANDIDATE_BYTES) {
      this.skipped.push(`${origin}: ${node.digest} has ${node.size} bytes`);
      return undefined;
    }
    try {
      return await collectVerified(source.fetch(node, this.#options), node, MAX_CANDIDATE_BYTES);
    } catch (error) {
      if (!(error instanceof RegiError) || !SKIPPED.has(error.code)) throw error;
      this.skipped.push(`${origin}: ${error.message}`);
      return undefined;
    }
  }

  #tooMany(): LimitExceededError {
    return new LimitExceededError(
      `Cannot look at more than ${this.#maximum} possible signatures of ${this.#digest}`,
    );
  }
}

/** A listed manifest that is gone, and bytes of another digest, are no candidates. */
const SKIPPED: ReadonlySet<string> = new Set(['NOT_FOUND', 'CONTENT_MISMATCH', 'LIMIT_EXCEEDED']);

function mayBeSignature({ artifactType }: Descriptor): boolean {
  return (
    artifactType === undefined ||
    artifactType === MEDIA_TYPE.ociEmpty ||
    artifactType === OCI_11_SIGNATURE_TYPE ||
    artifactType.startsWith(BUNDLE_TYPE_PREFIX)
  );
}

/**
 * True for a manifest of signatures alone: a subject, an artifact type or a tag makes no image a
 * signature.
 */
export function isCarried({ config, layers }: ImageManifest): boolean {
  return (
    layers.length > 0 &&
    config.size <= MAX_CANDIDATE_BYTES &&
    layers.every((layer) => parserOf(layer) !== undefined && layer.size <= MAX_CANDIDATE_BYTES)
  );
}

function parserOf({
  mediaType,
  annotations = {},
}: Descriptor): ((bytes: Uint8Array) => Candidate | Refusal) | undefined {
  if (mediaType.startsWith(BUNDLE_TYPE_PREFIX)) return parseBundle;
  if (mediaType === SIMPLE_SIGNING_TYPE) return (bytes) => parseSimpleSigning(bytes, annotations);
  if (mediaType === ENVELOPE_TYPE) return (bytes) => parseEnvelope(bytes, annotations);
  return undefined;
}
