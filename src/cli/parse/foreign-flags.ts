interface ForeignFlag {
  /** Flags of docker, crane, skopeo, regctl or oras. */
  readonly flags: readonly string[];
  /** The hint applies only to commands with this option. */
  readonly option?: string | undefined;
  readonly hint: string;
}

const FOREIGN_FLAGS: readonly ForeignFlag[] = [
  {
    flags: [
      '--tls-verify',
      '--src-tls-verify',
      '--dest-tls-verify',
      '--insecure',
      '--from-insecure',
      '--to-insecure',
      '--allow-insecure',
    ],
    hint: 'name the host: --tls-skip-verify HOST[:PORT], or --plain-http HOST[:PORT] if it has no TLS',
  },
  {
    flags: ['--from-plain-http', '--to-plain-http'],
    hint: 'name the host: --plain-http HOST[:PORT]',
  },
  {
    flags: ['--all', '--multi-arch'],
    option: 'platform',
    hint: 'drop it: images are copied with all platforms unless --platform is given',
  },
  {
    flags: ['--override-arch', '--override-os', '--override-variant', '--arch', '--os'],
    option: 'platform',
    hint: 'type --platform OS/ARCH[/VARIANT], such as --platform linux/arm64',
  },
  {
    flags: ['-r', '--recursive', '--digest-tags'],
    option: 'referrers',
    hint: 'type --referrers for signatures, SBOMs and attestations',
  },
  { flags: ['--preserve-digests'], hint: 'drop it: copying never changes a digest' },
  { flags: ['--retry-times'], hint: 'type --retry N' },
  {
    flags: ['-j', '--jobs', '--max-concurrent-uploads', '--image-parallel-copies'],
    hint: 'type --concurrency N, which is connections per host',
  },
  {
    flags: [
      '--src-authfile',
      '--dest-authfile',
      '--from-registry-config',
      '--to-registry-config',
      '--registry-config',
    ],
    hint: 'type --authfile FILE',
  },
  {
    flags: [
      '--creds',
      '--username',
      '--password',
      '--from-username',
      '--from-password',
      '--to-username',
      '--to-password',
      '--src-username',
      '--dest-username',
    ],
    hint: 'type `regi login HOST` once, or --src-creds and --dest-creds USER:env:NAME',
  },
  {
    flags: ['--cert-dir', '--src-cert-dir', '--dest-cert-dir', '--cacert'],
    hint: 'type --ca-file FILE',
  },
  {
    flags: ['--oci-layout', '--from-oci-layout', '--to-oci-layout', '--src-shared-blob-dir'],
    hint: 'write the location with its prefix: oci:DIR:TAG',
  },
  {
    flags: ['-d', '--debug', '--verbosity', '-D'],
    hint: 'type -v to log requests, or -vv to log headers too',
  },
  {
    flags: ['--disable-content-trust'],
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
  return FOREIGN_FLAGS.find(
    ({ flags, option }) => flags.includes(flag) && (option === undefined || has(option)),
  )?.hint;
}
