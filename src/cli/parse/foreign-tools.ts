const NO_ENGINE =
  'regi moves images and cannot run them; for docker, type: regi pull REF -o FILE, then docker load -i FILE';
const NO_EDITS =
  'regi does not build or change images; to push a finished build, type: regi push oci:DIR REF';

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
  'buildx imagetools create': 'type: regi index create REF IMAGE…, or regi copy IMAGE NEW',
  'image import': 'type: regi push ./FILE REF',
  'image ratelimit': 'type: regi doctor REGISTRY',
  'image check-base': 'type: regi inspect LOC, which shows the base that the image names',
  'registry set': 'type: --plain-http HOST or --tls-skip-verify HOST with the command',
  'registry config': 'type: regi auth list',
  'registry serve': 'type: regi serve --memory',
  'manifest diff': 'type: regi diff A B',
  list: 'type: regi tags list REPO, regi repos list REGISTRY, or regi images for the local store',
  mirror:
    'type: regi copy --all-tags SRC DST, or regi copy --from FILE PREFIX for many repositories',
  'artifact put': 'type: regi attach FILE --to REF --type TYPE',
  backup: 'type: regi export REF… -o FILE',
  restore: 'type: regi import FILE PREFIX',
  'manifest create': 'type: regi index create REF IMAGE…',
  'manifest annotate': 'type: regi index add REF IMAGE --platform P',
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
  { flags: '--tarball', hint: 'write the file as the argument: archive:FILE' },
  { flags: '--src --dest', hint: 'type: regi copy --all-tags SRC DST, or regi help sync for many' },
  { flags: '--ref', hint: 'write the images as arguments: regi index create REF IMAGE…' },
  { flags: '--artifact-type --subject', hint: 'type: regi attach FILE --to REF --type TYPE' },
  { flags: '--from-plain-http --to-plain-http', hint: 'name the host: --plain-http HOST[:PORT]' },
  {
    flags: '--override-os --override-variant --arch --os',
    option: 'platform',
    hint: 'type --platform OS/ARCH[/VARIANT], such as --platform linux/arm64',
  },
  {
    flags: '--max-concurrent-uploads --image-parallel-copies',
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
