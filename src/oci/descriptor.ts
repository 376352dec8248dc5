import * as z from 'zod/mini';

import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { defined, describeIssue, isJsonObject, memberInOtherCase } from '../json.ts';
import { quote } from '../quote.ts';
import { parseDigest, type Digest } from './digest.ts';

/**
 * A platform in the spelling of an index or config. Normalize two with `normalizePlatform()` before
 * you compare them.
 */
export interface Platform {
  /** `linux`, `windows`. */
  readonly os: string;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  /** `v7` of `arm`, `v8` of `arm64`. */
  readonly variant?: string | undefined;
  /** The build of Windows: `10.0.17763.1`. */
  readonly osVersion?: string | undefined;
  /** Features the image needs, such as `win32k`. */
  readonly osFeatures?: readonly string[] | undefined;
}

/**
 * Names a node of an image: its media type, digest and size.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
 */
export interface Descriptor {
  /** The media type of the content. */
  readonly mediaType: string;
  /** The digest of the content. */
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Where the content of a foreign layer is. No registry's credentials are sent there. */
  readonly urls?: readonly string[] | undefined;
  /** Annotations of the entry that holds the descriptor. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Base64 of the content itself, not verified. */
  readonly data?: string | undefined;
  /** The artifact type of the manifest, where a list shows it. */
  readonly artifactType?: string | undefined;
  /** The platform of the manifest, where an index names it. */
  readonly platform?: Platform | undefined;
}

/** A manifest, index or descriptor that breaks the image-spec. */
export class InvalidManifestError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_MANIFEST', message, options);
  }
}

const text = z.optional(z.string());
const texts = z.optional(z.nullable(z.array(z.string())));

const platformShape = z.object({
  os: text,
  architecture: text,
  variant: text,
  'os.version': text,
  'os.features': texts,
});

const MEMBERS: ReadonlySet<string> = new Set(
  'mediaType digest size urls annotations data artifactType platform'.split(' '),
);

const descriptorShape = z.object({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number(),
  urls: texts,
  annotations: z.optional(z.nullable(z.record(z.string(), z.string()))),
  data: text,
  artifactType: text,
  platform: z.optional(z.nullable(platformShape)),
});

/**
 * Parses a descriptor out of JSON. Unknown members are ignored, as the image-spec demands.
 *
 * @param where the descriptor's place, for messages: `layers[3]`.
 * @throws {InvalidManifestError} when a member is missing or malformed, the digest cannot be
 *   verified, or the size is no safe non-negative integer.
 */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const invalid = (problem: string, cause?: unknown): InvalidManifestError =>
    new InvalidManifestError(`Cannot read descriptor ${where}: ${problem}`, { cause });
  const { data, error } = descriptorShape.safeParse(value);
  if (data === undefined) throw invalid(describeIssue(error));
  const odd = isJsonObject(value) ? memberInOtherCase(value, MEMBERS) : undefined;
  if (odd !== undefined)
    throw invalid(`its member ${quote(odd)} is written in another case, and not all tools read it`);
  const { mediaType, digest, size, urls, annotations, artifactType, platform } = data;
  try {
    parseDigest(digest);
  } catch (cause) {
    throw cause instanceof RegiError ? invalid(cause.message, cause) : cause;
  }
  if (!Number.isSafeInteger(size) || size < 0)
    throw invalid(`expected a size in whole bytes, found ${size}`);
  // The order is that of the JSON which regi makes, and so part of its digest.
  return defined({
    mediaType,
    digest: parseDigest(digest),
    size,
    urls: urls ?? undefined,
    annotations: annotations ?? undefined,
    data: data.data,
    artifactType,
    platform: platform ? toPlatform(platform) : undefined,
  });
}

/** Formats a descriptor as the image-spec has it, for a manifest that regi makes. */
export function toDescriptorJson({ platform, ...rest }: Descriptor): Record<string, unknown> {
  return { ...rest, ...(platform && { platform: toPlatformJson(platform) }) };
}

/** True if two descriptors name the same content. */
export function sameContent(a: Descriptor, b: Descriptor): boolean {
  return a.digest === b.digest && a.size === b.size;
}

/**
 * Undefined for the `{}` and the empty names that tools write for artifacts: such an entry has no
 * platform.
 */
function toPlatform(shape: z.infer<typeof platformShape>): Platform | undefined {
  const { os, architecture, variant, 'os.version': osVersion, 'os.features': features } = shape;
  if (!os || !architecture) return undefined;
  return defined({ os, architecture, variant, osVersion, osFeatures: features ?? undefined });
}

function toPlatformJson({ architecture, os, ...rest }: Platform): Record<string, unknown> {
  const { osVersion, osFeatures, variant } = rest;
  return defined({
    architecture,
    os,
    'os.version': osVersion,
    'os.features': osFeatures,
    variant,
  });
}
