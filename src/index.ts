/** The library's public face. What is not listed here may change at any time. */
export type { Bytes, CallOptions, FetchOptions, Place, PushOptions, Source, Store } from './store.ts';
export { canDelete, canListReferrers, canListTags, canMount, canUntag } from './store.ts';
export { EXIT_STATUS, RegiError, type ErrorCode } from './errors.ts';
export type { Descriptor, Platform } from './oci/descriptor.ts';
export { parseDigest, type Digest } from './oci/digest.ts';
export { parseManifest, type ImageIndex, type ImageManifest, type Manifest } from './oci/manifest.ts';
export { parseReference, type Reference } from './oci/reference.ts';
export type { CopyEvent, OnEvent } from './operations/events.ts';
