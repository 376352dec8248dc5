import type { CommandSpec } from '../../command.ts';
import { DIGESTFILE_OPTION } from './shared-options.ts';

export const exportSpec = {
  name: 'export',
  group: 'Air gap',
  aliases: ['save', 'image save'],
  changes: true,
  summary: 'Write many images into one archive',
  description:
    "Writes images into one tar that regi, docker, podman, containerd, skopeo and crane read: an OCI image layout with all platforms, and docker's manifest.json " +
    'with one of them. What several images share is in it once, digests stay, and the same images give the same bytes. A layout or archive without a name behind ' +
    'it is all its images. The file appears when it is whole; after an interruption the same command goes on with what is there.\n\n' +
    '--since leaves out the layers that an earlier archive carried; `regi import` finds them where that one went. OLD is the archive, or the list of it that ' +
    '--write-list wrote. --split writes FILE.001, FILE.002 and so on, which every command reads as FILE.\n\n' +
    'Prints one "archive:FILE@sha256:…" line per image on standard output.',
  arguments: [{ name: 'REF', summary: 'an image, or with --tags and --all-tags a repository; oci:DIR and archive:FILE too', optional: true, variadic: true }],
  options: [
    { name: 'output', short: 'o', value: 'FILE', summary: 'the archive; - is standard output, docker-archive:FILE the old format of docker save' },
    { name: 'from', value: 'FILE', summary: 'images from a file too, "REF [NAME]" a line; - is standard input' },
    { name: 'all-tags', short: 'a', summary: 'every tag of each repository' },
    { name: 'tags', value: 'PATTERN', repeatable: true, summary: 'tags that match a glob, /regex/ or semver range; ! excludes' },
    { name: 'platform', value: 'P', repeatable: true, summary: 'only this platform: os/arch[/variant]; several make a smaller index' },
    { name: 'docker-platform', value: 'P', summary: 'the platform that docker load gets (linux/amd64)' },
    { name: 'referrers', summary: 'signatures, SBOMs and attestations too' },
    { name: 'since', value: 'OLD', repeatable: true, summary: 'leave out the layers that this archive, or the list of one, has' },
    { name: 'write-list', value: 'FILE', summary: 'list the layers that the other side has then, for a later --since' },
    { name: 'split', value: 'SIZE', summary: 'several files of this size, such as 4G for a stick that holds no larger one' },
    { name: 'checksum', summary: 'write FILE.sha256 too, for sha256sum -c' },
    { name: 'dry-run', summary: 'write nothing; say how large the archive would be' },
    DIGESTFILE_OPTION,
  ],
  examples: [
    { command: 'regi export debian:12 registry.example/team/app:1.4 -o images.tar', summary: 'Two images with all their platforms in one file' },
    {
      command: "regi export --tags '>=1.2' registry.example/team/app -o app.tar --write-list app.json",
      summary: 'The releases of a repository, and a list for the next time',
    },
    { command: 'regi export --since app.json registry.example/team/app:1.5 -o more.tar', summary: 'A newer release without the layers that went before' },
    { command: 'regi export --from images.txt -o /media/stick/images.tar --split 4G --checksum', summary: 'A list of images onto a stick' },
    { command: 'regi export local:debian:12 -o - | ssh host regi import -', summary: 'Straight to another machine' },
  ],
  load: async () => (await import('../export.ts')).exportCommand,
} as const satisfies CommandSpec;
