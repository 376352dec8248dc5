interface ForeignFlag {
  /** As docker, crane, skopeo, regctl or oras write them. */
  readonly flags: readonly string[];
  /** Only of use in a command that has this option. */
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
    hint: 'name the host: --tls-skip-verify HOST[:PORT], or --plain-http HOST[:PORT] where it speaks no TLS',
  },
  {
    flags: ['--from-plain-http', '--to-plain-http'],
    hint: 'name the host: --plain-http HOST[:PORT]',
  },
  {
    flags: ['--all', '--multi-arch'],
    option: 'platform',
    hint: 'leave it out: an image goes with all its platforms unless --platform narrows it',
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
  { flags: ['--preserve-digests'], hint: 'leave it out: a digest never changes on the way' },
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
    hint: 'write the place before the name: oci:DIR:TAG',
  },
  {
    flags: ['-d', '--debug', '--verbosity', '-D'],
    hint: 'type -v to see requests, or -vv for headers too',
  },
  {
    flags: ['--disable-content-trust'],
    hint: 'leave it out: signatures are copied with --referrers, and not verified',
  },
];

/**
 * What to type instead of a flag that another tool has.
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
