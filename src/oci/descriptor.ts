import * as z from 'zod/mini';

import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { describeIssue } from './describe-issue.ts';
import { isDigest, parseDigest, type Digest } from './digest.ts';

/** A platform as index entries and configs name it. Values are as found: compare them after `normalizePlatform()`. */
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
 * What names a node of an image: its media type, digest and size in bytes.
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
  /** Where the content of a foreign layer lives. Never asked with a registry's credentials. */
  readonly urls?: readonly string[] | undefined;
  /** Annotations of the entry that holds the descriptor. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Base64 of the content itself. Nothing is believed of it before it is verified. */
  readonly data?: string | undefined;
  /** The artifact type of the manifest, where a list shows it. */
  readonly artifactType?: string | undefined;
  /** The platform of the manifest, where an index names it. */
  readonly platform?: Platform | undefined;
}

/** A manifest, index or descriptor that is not what the image-spec says. */
export class InvalidManifestError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('INVALID_MANIFEST', message, options);
  }
}

const platformShape = z.object({
  os: z.optional(z.string()),
  architecture: z.optional(z.string()),
  variant: z.optional(z.string()),
  'os.version': z.optional(z.string()),
  'os.features': z.optional(z.nullable(z.array(z.string()))),
});

const descriptorShape = z.object({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number(),
  urls: z.optional(z.nullable(z.array(z.string()))),
  annotations: z.optional(z.nullable(z.record(z.string(), z.string()))),
  data: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  platform: z.optional(z.nullable(platformShape)),
});

/**
 * Parses a descriptor out of JSON. Unknown members are ignored, as the image-spec demands.
 *
 * @param where what it is, for the message: `layers[3]`.
 * @throws {InvalidManifestError} when a member is missing or malformed, the digest cannot be verified, or the size is no
 *   safe non-negative integer.
 */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const parsed = descriptorShape.safeParse(value);
  if (!parsed.success)
    throw new InvalidManifestError(
      `Cannot read descriptor ${where}: ${describeIssue(parsed.error)}`,
    );
  const { mediaType, digest, size, urls, annotations, data, artifactType } = parsed.data;
  const platform = parsed.data.platform ? toPlatform(parsed.data.platform) : undefined;
  if (!isDigest(digest)) throw invalidDigest(digest, where);
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new InvalidManifestError(
      `Cannot read descriptor ${where}: expected a size in whole bytes, found ${size}`,
    );
  }
  return {
    mediaType,
    digest,
    size,
    ...(urls && { urls }),
    ...(annotations && { annotations }),
    ...(data !== undefined && { data }),
    ...(artifactType !== undefined && { artifactType }),
    ...(platform && { platform }),
  };
}

/** The descriptor as the image-spec writes it, for a manifest that regi makes. */
export function toDescriptorJson({ platform, ...rest }: Descriptor): Record<string, unknown> {
  return { ...rest, ...(platform && { platform: toPlatformJson(platform) }) };
}

/** Two descriptors of the same content. */
export function sameContent(a: Descriptor, b: Descriptor): boolean {
  return a.digest === b.digest && a.size === b.size;
}

function invalidDigest(digest: string, where: string): InvalidManifestError {
  try {
    parseDigest(digest);
  } catch (cause) {
    if (cause instanceof RegiError)
      return new InvalidManifestError(`Cannot read descriptor ${where}: ${cause.message}`, {
        cause,
      });
    throw cause;
  }
  throw new Error(`Digest ${JSON.stringify(digest)} was refused and then accepted`);
}

/** Undefined for the `{}` and the empty names that tools write for artifacts: such an entry has no platform. */
function toPlatform({
  os = '',
  architecture = '',
  ...shape
}: z.infer<typeof platformShape>): Platform | undefined {
  if (os === '' || architecture === '') return undefined;
  return {
    os,
    architecture,
    ...(shape.variant !== undefined && { variant: shape.variant }),
    ...(shape['os.version'] !== undefined && { osVersion: shape['os.version'] }),
    ...(shape['os.features'] && { osFeatures: shape['os.features'] }),
  };
}

function toPlatformJson(platform: Platform): Record<string, unknown> {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.osVersion !== undefined && { 'os.version': platform.osVersion }),
    ...(platform.osFeatures !== undefined && { 'os.features': platform.osFeatures }),
    ...(platform.variant !== undefined && { variant: platform.variant }),
  };
}
