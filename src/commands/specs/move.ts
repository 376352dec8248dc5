import type { CommandSpec } from '../../command.ts';
import { DIGESTFILE_OPTION } from './shared-options.ts';

export const copySpec = {
  name: 'copy',
  group: 'Move',
  aliases: ['cp'],
  changes: true,
  summary: 'Copy images from anywhere to anywhere',
  description:
    'Copies an image between registries and OCI layouts, byte for byte: digests never change unless --platform narrows. An index goes whole. ' +
    'What is at the destination already is not sent, a blob that another repository of the same registry has is mounted, and the tag moves last.\n\n' +
    'Prints one "registry/repository@sha256:…" line per image on standard output.',
  arguments: [
    {
      name: 'SRC',
      summary: 'a reference, or oci:DIR[:TAG]; with --from it is left out',
      optional: true,
    },
    {
      name: 'DST',
      summary:
        'a reference, or oci:DIR[:TAG]; with --from a PREFIX for lines that name no destination',
      optional: true,
    },
  ],
  options: [
    {
      name: 'platform',
      value: 'P',
      repeatable: true,
      summary: 'only this platform: os/arch[/variant]; several make a smaller index',
    },
    {
      name: 'all-tags',
      short: 'a',
      summary: 'every tag of the repository SRC to the repository DST',
    },
    {
      name: 'tags',
      value: 'PATTERN',
      repeatable: true,
      summary: 'tags that match a glob, /regex/ or semver range; ! excludes',
    },
    {
      name: 'from',
      value: 'FILE',
      summary: 'images from a file, "SRC [DST]" a line; - is standard input',
    },
    { name: 'referrers', summary: 'copy signatures, SBOMs and attestations too' },
    {
      name: 'no-clobber',
      short: 'n',
      summary:
        'never move a tag that is there with other content: a single image fails with status 1, of many those are passed over',
    },
    { name: 'dry-run', summary: 'write nothing; say what would be uploaded, mounted and skipped' },
    { name: 'force', summary: 'walk and repair the image even when the tag matches' },
    { name: 'keep-going', short: 'k', summary: 'go on with the other images when one fails' },
    DIGESTFILE_OPTION,
  ],
  examples: [
    {
      command: 'regi copy debian:12 registry.example/mirror/debian:12',
      summary: 'Mirror an image with all its platforms',
    },
    {
      command: 'regi copy oci:build registry.example/team/app:1.4',
      summary: 'Push a layout that a build made',
    },
    {
      command: "regi copy --tags '>=1.2 <2' registry.example/team/app backup.example/team/app",
      summary: 'Copy the releases of one major version',
    },
    {
      command: 'regi copy --dry-run --all-tags registry.example/team/app backup.example/team/app',
      summary: 'See how much would move',
    },
  ],
  load: async () => (await import('../copy/copy.ts')).copyCommand,
} as const satisfies CommandSpec;

export const pullSpec = {
  name: 'pull',
  group: 'Move',
  aliases: ['image pull'],
  changes: true,
  summary: 'Pull an image to the local store, a folder or file',
  description:
    "Pulls the image for this machine's platform, or where there is none for linux on the same processor. Without --output it goes into the local store " +
    '(see `regi help images`), and `regi images`, `regi tag`, `regi push` and `regi rmi` know it by its name. -o DIR/ writes it into an OCI layout, which is made ' +
    'when it is not there; -o FILE writes a new archive that docker, podman and containerd can load.\n\n' +
    'Prints "Digest:", "Status:" and the name in full on standard output, as docker does; the digest is that of what the name points at, an index as a whole. ' +
    'With --quiet the name alone.',
  arguments: [{ name: 'REF', summary: 'the image; with --all-tags a repository' }],
  options: [
    {
      name: 'output',
      short: 'o',
      value: 'WHERE',
      summary:
        'FILE for an archive, - for standard output, DIR/ with "/" at the end for an OCI layout',
    },
    { name: 'platform', value: 'P', summary: 'another platform: os/arch[/variant]' },
    { name: 'all-platforms', summary: 'the index whole' },
    { name: 'all-tags', short: 'a', summary: 'every tag of the repository' },
  ],
  examples: [
    { command: 'regi pull debian:12', summary: 'Pull an image into the local store' },
    { command: 'regi pull debian:12 -o debian.tar', summary: 'Write an archive for `docker load`' },
    {
      command: 'regi pull --all-platforms registry.example/team/app:1.4 -o app/',
      summary: 'Pull an index whole into a new folder',
    },
  ],
  load: async () => (await import('../pull/pull.ts')).pullCommand,
} as const satisfies CommandSpec;

export const pushSpec = {
  name: 'push',
  group: 'Move',
  aliases: ['image push'],
  changes: true,
  summary: 'Push from the local store, a layout or an archive',
  description:
    'References alone are images of the local store, and each is pushed under its own name. With a layout, an archive or local:REF before them, that image is ' +
    'pushed to every one of them. It goes whole, with all the platforms that are there. A blob goes to each registry once, whatever number of references are there, and ' +
    'what is there already is not sent. When REF ends with "/", every image of the layout or archive goes there under its own name, as `regi import` brings it.\n\nPrints one "registry/repository@sha256:…" line per reference on standard output.',
  arguments: [
    {
      name: 'IMAGE',
      summary:
        'a reference in the local store, or oci:DIR[:TAG], archive:FILE, local:REF, or a path such as ./dir',
    },
    {
      name: 'REF',
      summary: 'where it goes; behind a reference, another one to push',
      optional: true,
      variadic: true,
    },
  ],
  options: [
    { name: 'all-tags', short: 'a', summary: 'every tag of the repository in the local store' },
    {
      name: 'platform',
      value: 'P',
      repeatable: true,
      summary: 'only this platform: os/arch[/variant]; several make a smaller index',
    },
    { name: 'referrers', summary: 'push signatures, SBOMs and attestations too' },
    { name: 'no-clobber', short: 'n', summary: 'never move a tag that is there' },
    { name: 'dry-run', summary: 'write nothing; say what would be uploaded, mounted and skipped' },
    { name: 'force', summary: 'walk and repair the image even when the tag matches' },
    { name: 'keep-going', short: 'k', summary: 'go on with the other references when one fails' },
    DIGESTFILE_OPTION,
  ],
  examples: [
    {
      command: 'regi push registry.example/team/app:1.4',
      summary: 'Push what was pulled or tagged',
    },
    {
      command: 'regi push oci:build registry.example/team/app:1.4',
      summary: 'Push what a build made',
    },
    {
      command: 'regi push ./images.tar registry.example/mirror/',
      summary: 'Push every image of an archive by its own name',
    },
    {
      command: 'regi push ./build registry.example/team/app:1.4 registry.example/team/app:latest',
      summary: 'Push it under two names',
    },
  ],
  load: async () => (await import('../move/push.ts')).pushCommand,
} as const satisfies CommandSpec;

export const tagSpec = {
  name: 'tag',
  group: 'Move',
  aliases: ['image tag'],
  changes: true,
  summary: 'Give an image another name where it is',
  description:
    'Names an image once more where it is. NEW is a bare tag of the same repository, or a reference. In the same registry the image is named in that registry: ' +
    'into another repository blobs are mounted, and what the registry does not mount is streamed. In another registry it is a name of the local store, which must ' +
    'hold REF, and `regi push` takes it there. local: before either name means the local store in any case, and so does an image id of 12 or more digits.\n\n' +
    'Prints one "registry/repository@sha256:…" or "local:registry/repository@sha256:…" line per name on standard output.',
  arguments: [
    { name: 'REF', summary: 'the image' },
    { name: 'NEW', summary: 'a tag, or a reference', variadic: true },
  ],
  options: [
    {
      name: 'mount-only',
      summary: 'fail rather than send the bytes of a blob that cannot be mounted',
    },
  ],
  examples: [
    {
      command: 'regi tag registry.example/team/app:1.4 latest',
      summary: 'Move a tag of the same repository',
    },
    {
      command: 'regi tag registry.example/staging/app:1.4 registry.example/release/app:1.4',
      summary: 'Promote an image without moving its bytes',
    },
    {
      command: 'regi tag nginx:1.27 registry.example/mirror/nginx:1.27',
      summary: 'Name a pulled image for another registry',
    },
  ],
  load: async () => (await import('../move/tag.ts')).tagCommand,
} as const satisfies CommandSpec;
