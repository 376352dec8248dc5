import type { ArgumentSpec, OptionSpec } from '../../command.ts';

/** Options and arguments of several commands, so that they read the same everywhere. */

export const IMAGE: ArgumentSpec = {
  name: 'LOC',
  summary: 'an image: a reference, oci:DIR[:TAG], archive:FILE[:NAME], dir:DIR or local:REF',
};

/** The location of an index that a command writes. */
export const INDEX: ArgumentSpec = {
  name: 'REF',
  summary: 'the index, in a registry or an OCI layout',
};

export const INDEX_IMAGES: ArgumentSpec = {
  name: 'IMAGE',
  summary: 'an image or index in any location',
  variadic: true,
};

export const REPOSITORY: ArgumentSpec = {
  name: 'REPO',
  summary: 'a repository such as registry.example/team/app, or oci:DIR',
};

export const LOCAL_FILE: ArgumentSpec = {
  name: 'FILE',
  summary: 'a file on this machine; - is standard input',
};

/** Selects one image of an index. */
export const PLATFORM: OptionSpec = {
  name: 'platform',
  value: 'P',
  summary: 'select this platform: os/arch[/variant]',
};

/** Narrows an index. */
export const PLATFORMS: OptionSpec = {
  name: 'platform',
  value: 'P',
  repeatable: true,
  summary: 'take only this platform: os/arch[/variant]; several make a smaller index',
};

export const TAGS: OptionSpec = {
  name: 'tags',
  value: 'PATTERN',
  repeatable: true,
  summary: 'take the tags that match a glob, /regex/ or semver range; ! excludes',
};

export const REFERRERS: OptionSpec = {
  name: 'referrers',
  summary: 'include signatures, SBOMs and attestations',
};

export const NO_CLOBBER: OptionSpec = {
  name: 'no-clobber',
  short: 'n',
  summary: 'never overwrite an existing tag',
};

export const DRY_RUN: OptionSpec = {
  name: 'dry-run',
  summary: 'write nothing; show what would be uploaded, mounted and skipped',
};

export const FORCE: OptionSpec = {
  name: 'force',
  summary: 'check and repair the image even if the tag already matches',
};

export const KEEP_GOING: OptionSpec = {
  name: 'keep-going',
  short: 'k',
  summary: 'continue with the other images when one fails',
};

export const DIGESTFILE: OptionSpec = {
  name: 'digestfile',
  value: 'FILE',
  summary: 'also write the lines of standard output to this file',
};

export const ANNOTATION: OptionSpec = {
  name: 'annotation',
  value: 'KEY=VALUE',
  repeatable: true,
  summary: 'add an annotation',
};

export const OUTPUT_FILE: OptionSpec = {
  name: 'output',
  short: 'o',
  value: 'FILE',
  summary: 'write to this file; - is standard output',
};
