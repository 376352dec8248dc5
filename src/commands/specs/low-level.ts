import type { CommandSpec } from '../../command.ts';
import { argument, flag, IMAGE, LOCAL_FILE, OUTPUT_FILE, PLATFORM, REPOSITORY } from './shared.ts';

const group = 'Low level';

export const LOW_LEVEL_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'manifest get',
    group,
    aliases: ['manifest', 'manifest inspect', 'manifest fetch', 'image manifest'],
    summary: 'Print a manifest, byte for byte',
    description:
      'Prints the exact bytes of a manifest or index, verified and without an added newline. Piped ' +
      'through sha256sum, they give the digest. On a terminal the JSON is indented.',
    arguments: [IMAGE],
    options: [PLATFORM, flag('--raw', 'on a terminal too, print the bytes as they are')],
    examples: {
      'Show the platforms of an image': 'regi manifest get debian:12 | jq .manifests',
    },
    load: async () => (await import('../low-level/documents.ts')).manifestGetCommand,
  },
  {
    name: 'manifest put',
    group,
    aliases: ['manifest push'],
    changes: true,
    summary: 'Push a manifest, byte for byte',
    description:
      'Pushes a manifest or index from a file without changing it, so that its digest is that of the ' +
      'file. Everything that it names must exist in the repository. If REF has a digest, the manifest ' +
      'gets no tag and must have that digest. The media type is the one in the manifest, else it is ' +
      'derived from its fields.\n\n' +
      'Prints "registry/repository@sha256:…" on standard output.',
    arguments: [argument('REF', 'a reference, oci:DIR[:TAG] or local:REF'), LOCAL_FILE],
    options: [flag('--media-type TYPE', 'the media type, for a manifest without one')],
    examples: {
      'Give an image a second tag':
        'regi manifest get registry.example/app:1 | regi manifest put registry.example/app:2 -',
      'Push an edited manifest': 'regi manifest put registry.example/app:edited manifest.json',
    },
    load: async () => (await import('../low-level/manifest-put.ts')).manifestPutCommand,
  },
  {
    name: 'config',
    group,
    aliases: ['image config', 'manifest fetch-config'],
    summary: 'Print the config of an image, byte for byte',
    description:
      'Prints the exact bytes of the config, verified and without an added newline. For an image of ' +
      "several platforms, this machine's platform is selected; if there is none, linux on the same " +
      'processor. On a terminal the JSON is indented.',
    arguments: [IMAGE],
    options: [PLATFORM, flag('--raw', 'on a terminal too, print the bytes as they are')],
    examples: {
      'Print the environment of an image': 'regi config debian:12 | jq .config.Env',
    },
    load: async () => (await import('../low-level/documents.ts')).configCommand,
  },
  {
    name: 'blob get',
    group,
    aliases: ['blob', 'blob fetch'],
    summary: 'Download a blob',
    description:
      'Prints a layer, config or other blob, and verifies it on the way. If the bytes do not match ' +
      'the digest, the exit status is 7 and the output must not be used; with -o, the file is only ' +
      'created if they match.',
    arguments: [argument('BLOB', 'REPOSITORY@DIGEST or oci:DIR@DIGEST')],
    options: [OUTPUT_FILE],
    examples: {
      'List the files of a layer': 'regi blob get registry.example/team/app@sha256:… | tar -tz',
      'Save a layer': 'regi blob get registry.example/team/app@sha256:… -o layer.tar.gz',
    },
    load: async () => (await import('../low-level/blob.ts')).blobGetCommand,
  },
  {
    name: 'blob put',
    group,
    aliases: ['blob push'],
    changes: true,
    summary: 'Upload a file as a blob',
    description:
      'Uploads a layer, config or other blob, unless the repository has it. Registries remove blobs ' +
      'that no manifest names, so push a manifest soon.\n\n' +
      'Prints "registry/repository@sha256:…" on standard output.',
    arguments: [REPOSITORY, LOCAL_FILE],
    options: [],
    examples: {
      'Upload a layer': 'regi blob put registry.example/team/app layer.tar.gz',
    },
    load: async () => (await import('../low-level/blob.ts')).blobPutCommand,
  },
];
