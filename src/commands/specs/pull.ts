import type { CommandSpec } from '../../command.ts';

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
    { name: 'output', short: 'o', value: 'WHERE', summary: 'FILE for an archive, - for standard output, DIR/ with "/" at the end for an OCI layout' },
    { name: 'platform', value: 'P', summary: 'another platform: os/arch[/variant]' },
    { name: 'all-platforms', summary: 'the index whole' },
    { name: 'all-tags', short: 'a', summary: 'every tag of the repository' },
  ],
  examples: [
    { command: 'regi pull debian:12', summary: 'Pull an image into the local store' },
    { command: 'regi pull debian:12 -o debian.tar', summary: 'Write an archive for `docker load`' },
    { command: 'regi pull --all-platforms registry.example/team/app:1.4 -o app/', summary: 'Pull an index whole into a new folder' },
  ],
  load: async () => (await import('../pull.ts')).pullCommand,
} as const satisfies CommandSpec;
