const NO_ENGINE =
  'regi moves images and cannot run them; for docker, type: regi pull REF -o FILE, then docker load -i FILE';
const NO_EDITS =
  'regi does not build or change images; to push a finished build, type: regi push oci:DIR REF';
const LOCAL_INSPECT =
  'type: regi inspect local:REF for the local store, or regi inspect REF for its registry';

/** Hints by the commands of other tools. */
const COMMAND_HINTS: Readonly<Record<string, string>> = {
  run: NO_ENGINE,
  exec: NO_ENGINE,
  create: NO_ENGINE,
  start: NO_ENGINE,
  stop: NO_ENGINE,
  ps: NO_ENGINE,
  container: NO_ENGINE,
  compose: NO_ENGINE,
  build: NO_EDITS,
  buildx: NO_EDITS,
  commit: NO_EDITS,
  append: NO_EDITS,
  mutate: NO_EDITS,
  flatten: NO_EDITS,
  rebase: NO_EDITS,
  info: 'type: regi doctor REGISTRY',
  system: 'type: regi prune, or regi images',
  list: 'type: regi tags list REPO, regi repos list REGISTRY, or regi images for the local store',
  'list-tags': 'type: regi tags list REPO',
  validate: 'type: regi verify LOC',
  mirror:
    'type: regi copy --all-tags SRC DST, or regi copy --from FILE PREFIX for many repositories',
  discover: 'type: regi referrers LOC',
  'artifact list': 'type: regi referrers LOC',
  'artifact put': 'type: regi attach FILE --to REF --type TYPE',
  backup: 'type: regi export REF… -o FILE',
  restore: 'type: regi import FILE PREFIX',
  'image inspect': LOCAL_INSPECT,
  'image history':
    'type: regi history local:REF for the local store, or regi history REF for its registry',
  'image copy': 'type: regi copy SRC DST',
  'image digest': 'type: regi digest LOC',
  'image config': 'type: regi config LOC',
  'image export': 'type: regi export REF… -o FILE',
  'image delete': 'type: regi delete REPO@DIGEST, or regi rmi REF for the local store',
  'manifest inspect': 'type: regi manifest get LOC, or regi inspect LOC to read it',
  'manifest fetch': 'type: regi manifest get LOC',
  'manifest push': 'type: regi manifest put REF FILE',
  'manifest create': 'type: regi index create REF IMAGE…',
  'manifest annotate': 'type: regi index add REF IMAGE --platform P',
  'manifest delete': 'type: regi delete REPO@DIGEST',
  'manifest head': 'type: regi digest LOC',
  'blob fetch': 'type: regi blob get REPO@DIGEST',
  'blob push': 'type: regi blob put REPO FILE',
  'registry login': 'type: regi login REGISTRY',
};

/** Returns a hint for a command of another tool; undefined for other words. */
export function foreignCommandHint(words: string): string | undefined {
  return Object.hasOwn(COMMAND_HINTS, words) ? COMMAND_HINTS[words] : undefined;
}

/** The commands with a hint, for tests. */
export const FOREIGN_COMMANDS: readonly string[] = Object.keys(COMMAND_HINTS);

interface ForeignFlags {
  /** Flags of docker, crane, skopeo, regctl or oras. */
  readonly flags: string;
  /** The hint applies only to commands with this option. */
  readonly option?: string | undefined;
  readonly hint: string;
}

const FLAG_HINTS: readonly ForeignFlags[] = [
  {
    flags:
      '--tls-verify --src-tls-verify --dest-tls-verify --insecure --from-insecure --to-insecure --allow-insecure',
    hint: 'name the host: --tls-skip-verify HOST[:PORT], or --plain-http HOST[:PORT] if it has no TLS',
  },
  { flags: '--from-plain-http --to-plain-http', hint: 'name the host: --plain-http HOST[:PORT]' },
  {
    flags: '--all --multi-arch',
    option: 'platform',
    hint: 'drop it: images are copied with all platforms unless --platform is given',
  },
  {
    flags: '--override-arch --override-os --override-variant --arch --os',
    option: 'platform',
    hint: 'type --platform OS/ARCH[/VARIANT], such as --platform linux/arm64',
  },
  {
    flags: '-r --recursive --digest-tags',
    option: 'referrers',
    hint: 'type --referrers for signatures, SBOMs and attestations',
  },
  { flags: '--preserve-digests', hint: 'drop it: copying never changes a digest' },
  { flags: '--retry-times', hint: 'type --retry N' },
  {
    flags: '-j --jobs --max-concurrent-uploads --image-parallel-copies',
    hint: 'type --concurrency N, which is connections per host',
  },
  {
    flags:
      '--src-authfile --dest-authfile --from-registry-config --to-registry-config --registry-config',
    hint: 'type --authfile FILE',
  },
  {
    flags:
      '--creds --username --password --from-username --from-password --to-username --to-password --src-username --dest-username',
    hint: 'type `regi login HOST` once, or --src-creds and --dest-creds USER:env:NAME',
  },
  { flags: '--cert-dir --src-cert-dir --dest-cert-dir --cacert', hint: 'type --ca-file FILE' },
  {
    flags: '--oci-layout --from-oci-layout --to-oci-layout --src-shared-blob-dir',
    hint: 'write the location with its prefix: oci:DIR:TAG',
  },
  {
    flags: '-d --debug --verbosity -D',
    hint: 'type -v to log requests, or -vv to log headers too',
  },
  {
    flags: '--disable-content-trust',
    hint: 'drop it: --referrers copies signatures, and none are verified',
  },
];

/**
 * Returns a hint for a flag of another tool.
 *
 * @param has whether the command has an option of this name.
 */
export function foreignFlagHint(
  flag: string,
  has: (option: string) => boolean,
): string | undefined {
  return FLAG_HINTS.find(
    ({ flags, option }) => flags.split(' ').includes(flag) && (option === undefined || has(option)),
  )?.hint;
}
