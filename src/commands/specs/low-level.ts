import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const manifestGetSpec = {
  name: 'manifest get',
  group: 'Raw parts',
  summary: 'Print a manifest, byte for byte',
  description:
    'Prints the exact bytes of a manifest or index, verified and with no newline added, so that piping them through sha256sum gives the digest.',
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION],
  examples: [
    {
      command: 'regi manifest get debian:12 | jq .manifests',
      summary: 'Look at the platforms of an image',
    },
  ],
  load: async () => (await import('../low-level/manifest-get.ts')).manifestGetCommand,
} as const satisfies CommandSpec;

export const manifestPutSpec = {
  name: 'manifest put',
  group: 'Raw parts',
  changes: true,
  summary: 'Put a manifest into a repository, byte for byte',
  description:
    'Puts a manifest or index from a file, exactly as it is, so that its digest is that of the file; what it names must be there already. With a digest behind the name ' +
    'the manifest gets no tag, and must have that digest. The media type is what the manifest says of itself, else told by its members.\n\n' +
    'Prints "registry/repository@sha256:…" on standard output.',
  arguments: [
    { name: 'REF', summary: 'a reference, oci:DIR[:TAG] or local:REF' },
    { name: 'FILE', summary: 'a file of this machine; - is standard input' },
  ],
  options: [
    { name: 'media-type', value: 'TYPE', summary: 'of a manifest that does not say it itself' },
  ],
  examples: [
    {
      command:
        'regi manifest get registry.example/app:1 | regi manifest put registry.example/app:2 -',
      summary: 'Give an image a second tag',
    },
    {
      command: 'regi manifest put registry.example/app:edited manifest.json',
      summary: 'Put a manifest that was edited',
    },
  ],
  load: async () => (await import('../low-level/manifest-put.ts')).manifestPutCommand,
} as const satisfies CommandSpec;

export const configSpec = {
  name: 'config',
  group: 'Raw parts',
  summary: 'Print the config of an image, byte for byte',
  description:
    'Prints the exact bytes of the config, verified and with no newline added. Of an image of several platforms it is that of this machine, with linux for the ' +
    "system where there is none of the machine's own.",
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION],
  examples: [
    {
      command: 'regi config debian:12 | jq .config.Env',
      summary: 'Print the environment that an image sets',
    },
  ],
  load: async () => (await import('../low-level/config.ts')).configCommand,
} as const satisfies CommandSpec;

export const blobGetSpec = {
  name: 'blob get',
  group: 'Raw parts',
  summary: 'Print a blob, or write it to a file',
  description:
    'Prints the bytes of a layer, config or other blob, verified on the way. When they turn out to be others than the digest says, what was printed is not to ' +
    'be used, and the exit status is 7; with -o the file is there only if they were right.',
  arguments: [{ name: 'BLOB', summary: 'REPOSITORY@DIGEST, or oci:DIR@DIGEST' }],
  options: [{ name: 'output', short: 'o', value: 'FILE', summary: 'write to this file' }],
  examples: [
    {
      command: 'regi blob get registry.example/team/app@sha256:… | tar -tz',
      summary: 'List the files of a layer',
    },
    {
      command: 'regi blob get registry.example/team/app@sha256:… -o layer.tar.gz',
      summary: 'Save a layer',
    },
  ],
  load: async () => (await import('../low-level/blob-get.ts')).blobGetCommand,
} as const satisfies CommandSpec;

export const blobPutSpec = {
  name: 'blob put',
  group: 'Raw parts',
  changes: true,
  summary: 'Put a file into a repository as a blob',
  description:
    'Puts a layer, config or other blob. A blob that is there already is not sent again. Registries remove blobs that no manifest names: put one soon.\n\n' +
    'Prints "registry/repository@sha256:…" on standard output.',
  arguments: [
    { name: 'REPO', summary: 'a repository, such as registry.example/team/app, or oci:DIR' },
    { name: 'FILE', summary: 'a file of this machine; - is standard input' },
  ],
  options: [],
  examples: [
    { command: 'regi blob put registry.example/team/app layer.tar.gz', summary: 'Put a layer' },
  ],
  load: async () => (await import('../low-level/blob-put.ts')).blobPutCommand,
} as const satisfies CommandSpec;
