import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const inspectSpec = {
  name: 'inspect',
  group: 'Look',
  summary: 'Show what an image is',
  description:
    'Shows digest, platforms, entrypoint, environment, labels and layers of an image, without reading its layers. Of an image of several platforms it shows ' +
    "that of this machine, with linux for the system where there is none of the machine's own, else the first.\n\n" +
    '--json answers with one object. "name", "reference", "digest", "mediaType", "size" and "annotations" are of what the name points at. "manifests" lists the ' +
    'entries of an index: "platform", "digest", "mediaType", "size", "artifactType", "attests", "annotations". "image" is the image itself: "digest", "platform", ' +
    '"os", "architecture", "variant", "created", "author", "user", "workingDir", "stopSignal", "entrypoint", "cmd", "env", "exposedPorts", "volumes", "labels", ' +
    '"configDigest", "configMediaType", "compressedSize", "artifactType", "subject", "base", "annotations", "layers" and "history". What an image does not say is ' +
    'left out or empty; sizes are bytes.\n\n' +
    '--format takes the same names in a Go template, those of "image" at the top too: {{.Digest}}, {{.Labels.name}}, {{index .Labels "a.b"}}, {{json .Env}}, ' +
    '{{join .Cmd " "}}, {{len .Layers}}, {{range .Layers}}{{.Size}}{{end}}.',
  arguments: [LOCATION_ARGUMENT],
  options: [
    PLATFORM_OPTION,
    { name: 'raw', summary: 'print the manifest, byte for byte' },
    { name: 'config', summary: 'print the config, byte for byte' },
    { name: 'format', short: 'f', value: 'TEMPLATE', summary: 'print what a Go template makes of it' },
  ],
  examples: [
    { command: 'regi inspect debian:12', summary: 'Look at an image' },
    { command: 'regi inspect --platform linux/arm64 --json debian:12 | jq .image.layers', summary: 'List the layers of another platform' },
    { command: "regi inspect --format '{{.Digest}}' debian:12", summary: 'Print one fact' },
  ],
  load: async () => (await import('../inspect.ts')).inspectCommand,
} as const satisfies CommandSpec;
