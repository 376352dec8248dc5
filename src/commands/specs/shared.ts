import type { ArgumentSpec, OptionSpec } from '../../command.ts';

/**
 * Declares a flag as help shows it: `-o, --output FILE`. "…" after its value makes it repeatable.
 *
 * @throws {Error} on any other syntax, which is a bug.
 */
export function flag(syntax: string, summary: string, choices?: readonly string[]): OptionSpec {
  const { short, name, value, repeatable } =
    /^(?:-(?<short>\w), )?--(?<name>[a-z-]+)(?: (?<value>[^\u2026]+)(?<repeatable>\u2026)?)?$/.exec(
      syntax,
    )?.groups ?? {};
  if (name === undefined) throw new Error(`Cannot parse the flag ${syntax}`);
  return { name, short, value, repeatable: repeatable !== undefined, choices, summary };
}

/** Declares an argument as the usage shows it: `FILE`, `[REF]`, `REF…`, `[REF…]`. */
export function argument(syntax: string, summary: string): ArgumentSpec {
  const name = syntax.replace(/[[\]\u2026]/g, '');
  return { name, summary, optional: syntax.startsWith('['), variadic: syntax.includes('…') };
}

// Arguments and flags of several commands, so that they read the same everywhere.

export const IMAGE = argument(
  'LOC',
  'an image: a reference, oci:DIR[:TAG], archive:FILE[:NAME], dir:DIR, local:REF or ./PATH',
);

/** The location of an index that a command writes. */
export const INDEX = argument('REF', 'the index, in a registry or an OCI layout');

export const INDEX_IMAGES = argument('IMAGE…', 'an image or index in any location');

export const REPOSITORY = argument(
  'REPO',
  'a repository such as registry.example/team/app, or oci:DIR',
);

export const LOCAL_FILE = argument('FILE', 'a file on this machine; - is standard input');

/** Selects one image of an index. */
export const PLATFORM = flag('-p, --platform P', 'select this platform: os/arch[/variant]');

/** Narrows an index. */
export const PLATFORMS = flag(
  '-p, --platform P…',
  'take only this platform: os/arch[/variant]; if repeated, writes a smaller index',
);

export const SPARSE = flag(
  '--sparse',
  'keep an index and its digest, with only the images of --platform, or those that the source has',
);

export const FORMAT = flag(
  '--format FORMAT',
  'write manifests with the media types of oci or docker; changes their digests',
  ['oci', 'docker'],
);

export const TAGS = flag(
  '--tags PATTERN…',
  'take the tags that match a glob, /regex/ or semver range; ! excludes',
);

export const REFERRERS = flag('--referrers', 'include signatures, SBOMs and attestations');

export const NO_CLOBBER = flag('-n, --no-clobber', 'never overwrite an existing tag');

export const DRY_RUN = flag(
  '--dry-run',
  'write nothing; show what would be uploaded, mounted and skipped',
);

export const FORCE = flag(
  '--force',
  'check and repair the image even if the tag already matches; includes --verify-existing',
);

export const VERIFY_EXISTING = flag(
  '--verify-existing',
  'hash the content that the destination already has, and replace what is damaged',
);

export const KEEP_GOING = flag('-k, --keep-going', 'continue with the other images when one fails');

export const FOREIGN_LAYERS = flag(
  '--foreign-layers HOW',
  'copy downloads layers stored at URLs outside the registry; skip (default) leaves them there',
  ['skip', 'copy'],
);

export const DIGESTFILE = flag(
  '--digestfile FILE',
  'also write the lines of standard output to this file',
);

/** For jobs of GitHub Actions. */
export const SUMMARY = flag(
  '--summary',
  'append a Markdown table of the images to the file in GITHUB_STEP_SUMMARY',
);

export const ANNOTATION = flag('--annotation KEY=VALUE…', 'add an annotation');

export const OUTPUT_FILE = flag('-o, --output FILE', 'write to this file; - is standard output');

export const TRUSTED_ROOT: OptionSpec = {
  ...flag(
    '--trusted-root FILE',
    "trust the logs and authorities of this file instead of sigstore's public ones",
  ),
  once: true,
};

/** Flags that name the policy of podman and skopeo. */
export const CONTAINERS_POLICY: readonly OptionSpec[] = [
  flag('--policy HOW', 'containers: require what policy.json of podman and skopeo requires', [
    'containers',
  ]),
  flag(
    '--policy-file FILE',
    'with --policy containers: this policy.json instead of the default one',
  ),
].map((option) => ({ ...option, once: true }));

/** Flags with keys, identities and rules of regi. None may be ignored. */
export const VERIFIERS: readonly OptionSpec[] = [
  flag('--key FILE', 'require a signature by this public key'),
  flag('--identity ID', 'require a signature whose certificate has this identity; * is any text'),
  flag('--issuer URL', 'with --identity: the service that vouched for the name'),
  flag('--verify FILE', 'require the signatures of this policy, which has rules by repository'),
  TRUSTED_ROOT,
].map((option) => ({ ...option, once: true }));

/** Flags that say who has to have signed. */
export const SIGNERS: readonly OptionSpec[] = [...VERIFIERS, ...CONTAINERS_POLICY];
