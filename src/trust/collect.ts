import { collectVerified, LimitExceededError } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { algorithmOf, encodedOf, type Digest } from '../oci/digest.ts';
import { parseManifest, type ImageManifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-types.ts';
import { canListReferrers, type CallOptions, type Source } from '../store.ts';
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

export interface Collected {
  readonly candidates: readonly CollectedCandidate[];
  /** Manifests and layers that cannot be signatures, each with the reason. */
  readonly skipped: readonly string[];
}

export interface CollectOptions extends CallOptions {
  /** Whether attestations in cosign's older form are wanted too. */
  readonly attestations: boolean;
  readonly maximum?: number | undefined;
}

const MAX_CANDIDATES = 100;
const MAX_CANDIDATE_BYTES = 4 * 1024 * 1024;
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
/** The config of cosign's signatures in its OCI 1.1 mode, which have no artifact type. */
const OCI_11_SIGNATURE_TYPE = 'application/vnd.dev.cosign.artifact.sig.v1+json';

/**
 * Collects what may be signatures of `digest`: the tags of cosign, and referrers. Types and annotations of a list are
 * hints: an entry without a type is read, and its layers decide.
 *
 * @throws {RegiError} what the source throws, except for absence; LIMIT_EXCEEDED for more than `maximum`
 *   candidates. A list that cannot be read is never "unsigned".
 */
export async function collectCandidates(
  source: Source,
  digest: Digest,
  options: CollectOptions,
): Promise<Collected> {
  const candidates: CollectedCandidate[] = [];
  const skipped: string[] = [];
  for (const [origin, manifest] of await manifestsOf(source, digest, options, skipped)) {
    const image = await readImage(source, manifest, origin, skipped, options);
    if (image === undefined) continue;
    for (const layer of image.layers) {
      const parse = parserOf(layer);
      if (parse === undefined) continue;
      if (candidates.length === (options.maximum ?? MAX_CANDIDATES)) {
        throw new LimitExceededError(
          `Cannot look at more than ${options.maximum ?? MAX_CANDIDATES} possible signatures of ${digest}`,
        );
      }
      const bytes = await readLayer(source, layer, origin, skipped, options);
      if (bytes !== undefined) candidates.push({ origin, manifest, candidate: parse(bytes) });
    }
  }
  return { candidates, skipped };
}

type Found = readonly (readonly [origin: string, manifest: Descriptor])[];

async function manifestsOf(
  source: Source,
  digest: Digest,
  options: CollectOptions,
  skipped: string[],
): Promise<Found> {
  const found: (readonly [string, Descriptor])[] = [];
  const kinds = options.attestations ? ['sig', 'att'] : ['sig'];
  for (const kind of algorithmOf(digest) === 'sha256' ? kinds : []) {
    const tag = `sha256-${encodedOf(digest)}.${kind}`;
    const manifest = await unlessAbsent(async () => source.resolve(tag, options));
    if (manifest !== undefined) found.push([tag, manifest]);
  }
  if (canListReferrers(source)) {
    const subject = await source.resolve(digest, options);
    for await (const entry of source.listReferrers(subject, options)) {
      if (mayBeSignature(entry)) found.push([entry.digest, entry]);
      else skipped.push(`${entry.digest}: ${entry.artifactType ?? entry.mediaType}`);
    }
  }
  return found;
}

function mayBeSignature({ artifactType }: Descriptor): boolean {
  return (
    artifactType === undefined ||
    artifactType === EMPTY_TYPE ||
    artifactType === OCI_11_SIGNATURE_TYPE ||
    artifactType.startsWith(BUNDLE_TYPE_PREFIX)
  );
}

async function readImage(
  source: Source,
  manifest: Descriptor,
  origin: string,
  skipped: string[],
  options: CallOptions,
): Promise<ImageManifest | undefined> {
  if (isIndexType(manifest.mediaType)) {
    skipped.push(`${origin}: it is an index`);
    return undefined;
  }
  const bytes = await readLayer(source, manifest, origin, skipped, options);
  if (bytes === undefined) return undefined;
  try {
    const parsed = parseManifest(bytes, manifest.mediaType);
    if (parsed.kind === 'image') return parsed;
    skipped.push(`${origin}: it is an index`);
  } catch (error) {
    if (!(error instanceof RegiError)) throw error;
    skipped.push(`${origin}: ${error.message}`);
  }
  return undefined;
}

/** Reads bytes that have their digest; anything else is skipped and counted. */
async function readLayer(
  source: Source,
  layer: Descriptor,
  origin: string,
  skipped: string[],
  options: CallOptions,
): Promise<Uint8Array | undefined> {
  if (layer.size > MAX_CANDIDATE_BYTES) {
    skipped.push(`${origin}: ${layer.digest} has ${layer.size} bytes`);
    return undefined;
  }
  try {
    return await collectVerified(source.fetch(layer, options), layer, MAX_CANDIDATE_BYTES);
  } catch (error) {
    if (!(error instanceof RegiError) || !SKIPPED.has(error.code)) throw error;
    skipped.push(`${origin}: ${error.message}`);
    return undefined;
  }
}

/** A listed manifest that is gone, and bytes of another digest, are no candidates. */
const SKIPPED: ReadonlySet<string> = new Set(['NOT_FOUND', 'CONTENT_MISMATCH', 'LIMIT_EXCEEDED']);

function parserOf({
  mediaType,
  annotations = {},
}: Descriptor): ((bytes: Uint8Array) => Candidate | Refusal) | undefined {
  if (mediaType.startsWith(BUNDLE_TYPE_PREFIX)) return parseBundle;
  if (mediaType === SIMPLE_SIGNING_TYPE) return (bytes) => parseSimpleSigning(bytes, annotations);
  if (mediaType === ENVELOPE_TYPE) return (bytes) => parseEnvelope(bytes, annotations);
  return undefined;
}

async function unlessAbsent<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof RegiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
