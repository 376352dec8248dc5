/**
 * Every bound on what a peer may make regi read, hold or follow. Sizes are bytes.
 * A bound is generous to honest peers and small beside memory: whoever passes it is broken or hostile.
 */
export const LIMITS = {
  /** What registries must at least take (distribution-spec 1.1, "Pushing Manifests") and distribution's own cap. */
  manifestBytes: 4 * 1024 * 1024,
  /** An image config, read only to be shown or to learn a platform. */
  configBytes: 4 * 1024 * 1024,
  /** A token service's answer; real ones stay under 16 KiB. */
  tokenBytes: 64 * 1024,
  /** Tokens held at once: one per repository and set of rights. The oldest goes, and costs a request when it is needed again. */
  tokens: 1000,
  /** A docker config.json or auth.json, and the file of a password. */
  credentialFileBytes: 1024 * 1024,
  /** What a credential helper may print. */
  helperBytes: 64 * 1024,
  /** What is read of an error answer's body. */
  errorBytes: 64 * 1024,
  /** One page of tags, repositories or referrers. */
  pageBytes: 8 * 1024 * 1024,
  /** Pages of one listing: a server that pages for ever ends here. */
  pages: 10_000,
  /** What is read of a body nobody wants, to keep its connection: more costs longer than a new connection. */
  discardBytes: 64 * 1024,
  /** Hops of one request. */
  redirects: 10,
  /** Response headers together, for the HTTP parser. */
  headerBytes: 64 * 1024,
  /** Indexes inside indexes. Real images use one level, attestation tools two. */
  indexDepth: 8,
  /** Entries of one manifest or index. 4 MiB hold about 25,000 descriptors. */
  descriptors: 25_000,
  /** `Warning` headers shown per registry, all texts together (distribution-spec 1.1, "Warnings"). */
  warningBytes: 4096,
} as const;
