/**
 * The library's public face, explained in docs/library.md. What is not listed here may change at
 * any time.
 */

// The porch: strings in, one thing to close.
export {
  connect,
  type AttachOptions,
  type ConnectOptions,
  type CopyOptions,
  type DeleteOptions,
  type ImageOptions,
  type Regi,
} from './connect.ts';

// Names of images, and what they are made of.
export { digestOf, InvalidDigestError, parseDigest, type Digest } from './oci/digest.ts';
export { InvalidManifestError, type Descriptor, type Platform } from './oci/descriptor.ts';
export type { HistoryEntry, ImageConfig } from './oci/image-config.ts';
export {
  parseManifest,
  type ImageIndex,
  type ImageManifest,
  type Manifest,
} from './oci/manifest.ts';
export { formatPlatform, InvalidPlatformError, parsePlatform } from './oci/platform.ts';
export {
  familiarReference,
  formatReference,
  identifierOf,
  InvalidReferenceError,
  parseReference,
  parseRepository,
  parseTag,
} from './oci/reference.ts';
export type { Reference, Repository, Tag } from './oci/reference.ts';

// What every place can do, and what some can.
export {
  canDelete,
  canKeepUnnamed,
  canListImages,
  canListReferrers,
  canListTags,
  canLocate,
  canMount,
  canOffer,
  canResolveBlobs,
  canUntag,
} from './store.ts';
export type {
  BlobResolver,
  Deleter,
  Deletion,
  FilePart,
  ImageLister,
  Locator,
  Mounter,
  NamedImage,
  Offerer,
  ReferrerLister,
  ReferrerOptions,
  TagLister,
  UnnamedKeeper,
  Untagger,
} from './store.ts';
export type {
  Bytes,
  CallOptions,
  FetchOptions,
  Place,
  PushOptions,
  Source,
  Store,
} from './store.ts';
export { bytesOf, collect, collectVerified, owned, verified, type SeekableBytes } from './bytes.ts';

// The places.
export {
  createRegistryClient,
  type OpenRepositoryOptions,
  type RegistryClient,
  type RegistryClientOptions,
} from './stores/registry/registry-client.ts';
export type { RegistryPlace } from './stores/registry/registry-place.ts';
export type { RegistryStore } from './stores/registry/registry-store.ts';
export type { LayoutOptions } from './stores/layout/folder.ts';
export { openLayout, type LayoutStore } from './stores/layout/oci-layout.ts';
export { openLayoutPlace, type LayoutPlace } from './stores/layout/place.ts';
export { openArchives, type ArchiveOptions, type ArchivePlace } from './stores/archive/archive.ts';
export type { ReadOnlyStore } from './stores/archive/store.ts';
export { archiveAt, type WriteArchiveOptions } from './stores/archive/writer.ts';
export {
  createMemoryPlace,
  createMemoryStore,
  type MemoryPlace,
  type MemoryStore,
} from './stores/memory.ts';
export type { HostRules } from './http/hosts.ts';

// Logins.
export { createCredentialChain, type CredentialChainOptions } from './credentials/chain.ts';
export type { Credential, CredentialSource, FoundCredential } from './credentials/credential.ts';

// Choosing tags.
export { InvalidTagPatternError, tagFilter } from './operations/tags/select-tags.ts';
export { sortTags, type SortableTag, type TagOrder } from './operations/tags/sort-tags.ts';

// What is done with images.
export {
  CopyError,
  copyImage,
  type CopiedImage,
  type CopyImageOptions,
  type CopyJob,
} from './operations/copy/copy-image.ts';
export {
  copyImages,
  PartialFailureError,
  type CopyImagesOptions,
  type FailedJob,
} from './operations/copy/copy-images.ts';
export type { CopySessionOptions } from './operations/copy/session.ts';
export type { CopyEvent, OnEvent } from './operations/copy/events.ts';
export { totalProgress, type CopyProgress } from './operations/copy/progress.ts';
export { PlatformNotFoundError } from './operations/copy/choose-platform.ts';
export { artifactFiles, makeArtifact } from './operations/edit/artifact.ts';
export { memorySource } from './operations/edit/memory-source.ts';
export {
  inspectImage,
  type EntryReport,
  type ImageReport,
  type InspectOptions,
  type InspectReport,
  type LayerReport,
} from './operations/inspect/inspect-image.ts';
export type { PlatformChoice } from './operations/copy/resolve-image.ts';
export { readManifest, type ManifestNode } from './operations/copy/read-manifest.ts';
export { resolveImage } from './operations/copy/resolve-image.ts';
export {
  verifyImages,
  type FoundProblem,
  type NamedRoot,
  type VerifyOptions,
  type VerifyReport,
} from './operations/inspect/verify-image.ts';
export type { ExportJob } from './operations/archive/collect-images.ts';
export {
  exportImages,
  type ExportedImage,
  type ExportOptions,
} from './operations/archive/export-images.ts';

// A registry of one's own.
export { startServer, type RunningServer, type ServerOptions } from './server/server.ts';
export { createHandler, type Handler, type HandlerOptions } from './server/handler.ts';
export type { Authenticate, Verdict } from './server/exchange.ts';
export { authenticateHtpasswd } from './server/htpasswd.ts';
export { fileSpool, memorySpool, type Spool } from './server/spool.ts';

// What goes wrong, and the time.
export { EXIT_STATUS, RegiError, type ErrorCode } from './errors.ts';
export { systemClock, type Clock } from './clock.ts';
