/**
 * Every bound on what a peer may make regi read, hold or follow. Sizes are bytes. A bound is
 * generous to honest peers and small beside memory: a peer that exceeds it is broken or hostile.
 */
export const LIMITS = {
  /**
   * What registries must at least take (distribution-spec 1.1, "Pushing Manifests") and
   * distribution's own cap.
   */
  manifestBytes: 4 * 1024 * 1024,
  /**
   * Manifests held by one copy, because several of its images may have them in common; the oldest
   * is read again.
   */
  manifestsHeldBytes: 32 * 1024 * 1024,
  /** An image config, read only to be shown or to learn a platform. */
  configBytes: 4 * 1024 * 1024,
  /** A token service's answer; real ones stay under 16 KiB. */
  tokenBytes: 64 * 1024,
  /**
   * Tokens held at once: one per repository and set of rights. The oldest goes, and costs a request
   * when it is needed again.
   */
  tokens: 1000,
  /** A docker config.json or auth.json, and the file of a password. */
  credentialFileBytes: 1024 * 1024,
  /** A password on standard input; the longest tokens of clouds have some 20 KB. */
  passwordBytes: 64 * 1024,
  /** A file of certificate authorities; those of whole systems stay under 1 MiB. */
  authoritiesBytes: 16 * 1024 * 1024,
  /** What a credential helper may print. */
  helperBytes: 64 * 1024,
  /** Bytes read of the body of an error response. */
  errorBytes: 64 * 1024,
  /**
   * Entries of one error response. A push of a manifest may miss every layer; more entries add
   * nothing.
   */
  problems: 100,
  /**
   * What is shown of one text of a registry, in characters: a screenful of somebody else's words
   * hides our own.
   */
  problemLength: 300,
  /** One page of tags, repositories or referrers. */
  pageBytes: 8 * 1024 * 1024,
  /** Pages of one listing: a server that pages for ever ends here. */
  pages: 10_000,
  /**
   * Bytes of an unwanted body that are read to keep its connection: more would take longer than a
   * new connection.
   */
  discardBytes: 64 * 1024,
  /** Hops of one request. */
  redirects: 10,
  /** Hops of a request for a token, which stay with the service that the registry named. */
  tokenRedirects: 3,
  /** Response headers together, for the HTTP parser. */
  headerBytes: 64 * 1024,
  /** Indexes inside indexes. Real images use one level, attestation tools two. */
  indexDepth: 8,
  /** Referrers of referrers. A signature of an SBOM of an image uses two levels. */
  referrerDepth: 8,
  /** Referrers of one node: every build of a long-lived image may sign and scan it again. */
  referrersOfNode: 1000,
  /** Referrers of an image, its platforms and their referrers together. */
  referrers: 10_000,
  /** Entries of one manifest or index. 4 MiB hold about 25,000 descriptors. */
  descriptors: 25_000,
  /**
   * Manifests of a layout that are followed to learn what may go. index.json holds some 15,000
   * entries, with one platform each.
   */
  storeManifests: 100_000,
  /** What one process has claimed in the local store; 64 MiB are some 400,000 nodes. */
  leaseBytes: 64 * 1024 * 1024,
  /**
   * `Warning` headers shown per registry, all texts together (distribution-spec 1.1, "Warnings").
   */
  warningBytes: 4096,
  /** Entries of a tar that is looked into. An archive of a thousand images has some 20,000. */
  tarEntries: 200_000,
  /** One extension header of a tar: a long name, or PAX records. */
  tarExtensionBytes: 1024 * 1024,
  /** All extension headers of a tar together: they are held while it is open. */
  tarExtensionsBytes: 32 * 1024 * 1024,
  /** Links of a tar that are followed from one to the next. */
  tarLinks: 16,
  /**
   * Entries of an image's layers together, which are held while it is looked into. The largest
   * images known have half a million files.
   */
  layerEntries: 2_000_000,
  /** The names, links and attributes of those entries together. */
  layerNamesBytes: 512 * 1024 * 1024,
  /** A name in a layer: Linux's PATH_MAX. */
  pathBytes: 4096,
  /** Symbolic links followed on the way to one file: as Linux. */
  symlinks: 40,
  /** Images of one archive. */
  archiveImages: 25_000,
  /**
   * Memory that a zstd frame may ask for; what zstd itself takes without `--long`, and RFC 8878
   * (3.1.1.1.2) recommends 8 MiB.
   */
  zstdWindowBytes: 128 * 1024 * 1024,
  /**
   * The same for the decoder in JavaScript, which moves the window for each block: a few KB may
   * cost minutes with more.
   */
  zstdWindowInJavaScriptBytes: 8 * 1024 * 1024,
  /** Memory that the program `xz` may take; `xz -9` needs a quarter of it. */
  xzMemoryBytes: 256 * 1024 * 1024,
  /** What a compressed archive may unpack to, whatever its size. */
  unpackedBytes: 1024 * 1024 * 1024,
  /** Beyond that, how many times its own size. Real images stay under 10, gzip's best is 1032. */
  unpackedRatio: 100,
  /** Values of a YAML file after its aliases are expanded. */
  yamlNodes: 200_000,
  /** Maps and lists inside each other in such a file. */
  yamlDepth: 200,
  /** A file that is searched for references. Rendered charts stay under 1 MiB. */
  searchedFileBytes: 4 * 1024 * 1024,
  /** Files below the paths that are searched. */
  searchedFiles: 200_000,
} as const;
