import { essence, isManifestType, MEDIA_TYPE } from '../oci/media-types.ts';

/**
 * Finds the media type of a manifest that was read: what the registry says when that names a manifest, else what the bytes
 * say. Old registries send schema 1 as text/plain and others all JSON as application/json. Undefined when neither says it.
 */
export function guessManifestType(contentType: string | undefined, bytes: Uint8Array): string | undefined {
  const told = essence(contentType ?? '');
  if (isManifestType(told)) return told;
  const body = parseObject(bytes);
  if (body === undefined) return undefined;
  const inside = body['mediaType'];
  if (typeof inside === 'string' && isManifestType(inside)) return inside;
  if (body['schemaVersion'] === 1) return 'signatures' in body ? MEDIA_TYPE.dockerSchema1Signed : MEDIA_TYPE.dockerSchema1;
  if (Array.isArray(body['manifests'])) return MEDIA_TYPE.ociIndex;
  if ('config' in body && Array.isArray(body['layers'])) return MEDIA_TYPE.ociManifest;
  if (typeof inside === 'string' && inside !== '') return inside;
  return told === '' ? undefined : told;
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
