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
    {
      name: 'format',
      short: 'f',
      value: 'TEMPLATE',
      summary: 'print what a Go template makes of it',
    },
  ],
  examples: [
    { command: 'regi inspect debian:12', summary: 'Look at an image' },
    {
      command: 'regi inspect --platform linux/arm64 --json debian:12 | jq .image.layers',
      summary: 'List the layers of another platform',
    },
    { command: "regi inspect --format '{{.Digest}}' debian:12", summary: 'Print one fact' },
  ],
  load: async () => (await import('../inspect/inspect.ts')).inspectCommand,
} as const satisfies CommandSpec;

export const historySpec = {
  name: 'history',
  group: 'Look',
  summary: 'Show how an image was made',
  description:
    'Shows each step of the build from the base up: the compressed size of its layer, drawn as a bar too, and the command. --json has the commands in full.',
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION],
  examples: [{ command: 'regi history debian:12', summary: 'See which step made an image large' }],
  load: async () => (await import('../inspect/history.ts')).historyCommand,
} as const satisfies CommandSpec;

export const digestSpec = {
  name: 'digest',
  group: 'Look',
  summary: 'Print the digest that a name points at',
  description:
    'Prints the digest of an image, which for an image of several platforms is that of its index. Costs one request that registries do not count as a pull.',
  arguments: [LOCATION_ARGUMENT],
  options: [
    PLATFORM_OPTION,
    { name: 'expect', value: 'DIGEST', summary: 'fail with status 7 when it is another' },
  ],
  examples: [
    { command: 'regi digest debian:12', summary: 'Print the digest to pin' },
    {
      command: 'regi digest --platform linux/arm64 debian:12',
      summary: 'Print the digest of one platform',
    },
  ],
  load: async () => (await import('../inspect/digest.ts')).digestCommand,
} as const satisfies CommandSpec;

export const tagsListSpec = {
  name: 'tags list',
  group: 'Look',
  aliases: ['ls', 'tags ls', 'tag ls', 'tag list'],
  summary: 'List the tags of a repository',
  description:
    'Prints one tag a line, in the order of the registry, each page as it arrives. The repository may be in a registry or an OCI layout.\n\n' +
    '--sort semver and --sort created put the newest first, so that --limit keeps the newest; what is no version, or says no date, comes last. Sorting needs all ' +
    'pages, and --sort created reads manifest and config of every tag, which some registries count as pulls.\n\n' +
    '--digests adds the digest behind a tab, at the cost of one request a tag.',
  arguments: [
    { name: 'REPO', summary: 'a repository, such as registry.example/team/app, or oci:DIR' },
  ],
  options: [
    {
      name: 'match',
      value: 'PATTERN',
      repeatable: true,
      summary: 'only tags that match: a glob, a /regular expression/ or a semver range; ! excludes',
    },
    {
      name: 'sort',
      value: 'ORDER',
      choices: ['name', 'semver', 'created'],
      summary: 'by name, or the newest first',
    },
    { name: 'limit', value: 'N', summary: 'at most so many' },
    { name: 'digests', summary: 'what each tag names, too' },
  ],
  examples: [
    {
      command: 'regi tags list docker.io/library/debian',
      summary: 'Every tag of an official image',
    },
    {
      command: "regi ls registry.example/app --match '>=2.0.0' | head -5",
      summary: 'Five releases; only the pages needed for them are read',
    },
    {
      command: 'regi ls registry.example/app --sort semver --limit 1',
      summary: 'The newest release',
    },
  ],
  load: async () => (await import('../inspect/tags-list.ts')).tagsListCommand,
} as const satisfies CommandSpec;

export const reposListSpec = {
  name: 'repos list',
  group: 'Look',
  aliases: ['catalog', 'repo ls'],
  summary: 'List the repositories of a registry',
  description:
    'Prints one repository a line, without the name of the registry, each page as it arrives. Many registries have no such list, or keep it for administrators.',
  arguments: [
    { name: 'REGISTRY', summary: 'HOST[:PORT], and behind a "/" a namespace to list no others' },
  ],
  options: [],
  examples: [
    { command: 'regi repos list registry.example:5000', summary: 'Every repository' },
    {
      command: 'regi repos list registry.example/team',
      summary: 'The repositories whose names begin with team/',
    },
  ],
  load: async () => (await import('../inspect/repos-list.ts')).reposListCommand,
} as const satisfies CommandSpec;

export const searchSpec = {
  name: 'search',
  group: 'Look',
  summary: 'Find repositories by words of their names',
  description:
    'Searches Docker Hub, best matches first: official images, verified publishers and sponsored open-source projects are marked, with stars and pulls. With a registry ' +
    "before the word it asks that: Harbor's own search, which finds public projects; other registries by their catalog, where they have one.",
  arguments: [{ name: 'TERM', summary: 'a word, or REGISTRY/WORD' }],
  options: [
    { name: 'limit', value: 'N', summary: 'at most so many, of 1 to 100 (25)' },
    {
      name: 'filter',
      short: 'f',
      value: 'WHICH',
      repeatable: true,
      summary: 'stars=N: at least so many; is-official=true',
    },
  ],
  examples: [
    { command: 'regi search --filter is-official=true nginx', summary: 'Find official images' },
    { command: 'regi search harbor.example/postgres', summary: 'Search a Harbor' },
  ],
  load: async () => (await import('../inspect/search.ts')).searchCommand,
} as const satisfies CommandSpec;

export const referrersSpec = {
  name: 'referrers',
  group: 'Look',
  summary: 'Show what signs and describes an image',
  description:
    'Shows signatures, SBOMs, attestations and whatever else refers to an image, as a tree: to the image itself, to each manifest of its index, and to those in turn. ' +
    'They are found by the referrers API or its tag, by the tags of cosign, and in the index, where buildkit puts its attestations.\n\n' +
    '--json has one object a line: "kind" is image, platform or referrer; of a referrer "artifactType", "digest", "mediaType", "size", "subject", "found" (subject, tag or ' +
    'index), "tag" and "annotations".',
  arguments: [LOCATION_ARGUMENT],
  options: [
    PLATFORM_OPTION,
    {
      name: 'type',
      value: 'TYPE',
      summary: 'only artifacts of this type; * stands for any characters',
    },
  ],
  examples: [
    {
      command: 'regi referrers registry.example/team/app:1',
      summary: 'Who has signed it, and what is in it',
    },
    {
      command: "regi referrers --json --type '*spdx*' registry.example/team/app:1 | jq -r .digest",
      summary: 'The digests of its SBOMs',
    },
  ],
  load: async () => (await import('../inspect/referrers.ts')).referrersCommand,
} as const satisfies CommandSpec;

export const filesSpec = {
  name: 'files',
  group: 'Look',
  summary: 'List the files of an image',
  description:
    'Lists what a container of the image would see, sorted by path: the layers are read as they stream by and laid on each other in memory, what later layers remove ' +
    'is gone, and nothing is unpacked or kept. With a path it lists what is below it, at any depth; symbolic links on the way lead on inside the image.\n\n' +
    '-l adds type and permissions, owner, size in bytes and the time in UTC, as tar -tv does. A file with several names is listed under each. Characters that could ' +
    'disturb a terminal are written as escapes.\n\n' +
    '--json has "path", "type" (file, folder, symlink, character, block or fifo), "mode", "uid", "gid", "size", "modified", "link", "device" and "layer".',
  arguments: [
    LOCATION_ARGUMENT,
    {
      name: 'PATH',
      summary: 'a folder or file of the image; all of it when absent',
      optional: true,
    },
  ],
  options: [
    PLATFORM_OPTION,
    { name: 'long', short: 'l', summary: 'with permissions, owner, size and time' },
    {
      name: 'depth',
      value: 'N',
      summary: 'no deeper than this: 1 is what is in the folder itself',
    },
  ],
  examples: [
    { command: 'regi files -l --depth 1 debian:12 /etc', summary: 'Look into a folder' },
    {
      command: "regi files --json debian:12 | jq -r 'select(.size > 10000000) | .path'",
      summary: 'Find large files',
    },
  ],
  load: async () => (await import('../inspect/files.ts')).filesCommand,
} as const satisfies CommandSpec;

export const catSpec = {
  name: 'cat',
  group: 'Look',
  summary: 'Print files of an image',
  description:
    'Prints the content of files as a container of the image would see them, one behind the other. Symbolic links lead on inside the image. Nothing is unpacked or kept: ' +
    'the layers are read as they stream by, and that of a large file once more. When such a layer turns out to be other than its digest says, what was ' +
    'printed is not to be used, and the exit status is 7.',
  arguments: [LOCATION_ARGUMENT, { name: 'PATH', summary: 'files of the image', variadic: true }],
  options: [PLATFORM_OPTION],
  examples: [
    { command: 'regi cat debian:12 /etc/os-release', summary: 'Which system it is' },
    {
      command: 'regi cat registry.example/team/app:1 /app/server > server',
      summary: 'Take a program out of an image',
    },
  ],
  load: async () => (await import('../inspect/cat.ts')).catCommand,
} as const satisfies CommandSpec;

export const diffSpec = {
  name: 'diff',
  group: 'Look',
  summary: 'Show what changed between two images',
  description:
    'Compares two images of the same platform, wherever they are: their configs, layers and files. A line begins with what it is about, and + for what only the second ' +
    'has, - for what only the first has, ~ for what changed, = for a layer that both begin with.\n\n' +
    'Files are compared as a container sees them: type, content, permissions, owner, target of a link; not the time, which every build changes. Layers are read as they ' +
    'stream by, those of both images once; --no-files compares without reading any. The exit status is 0 whether they differ or not.\n\n' +
    '--json has one object a line. "kind" is images, config, layer, file or summary; "change" is added, removed, changed or same; "before" and "after" are the sides.',
  arguments: [
    { name: 'A', summary: 'the image before' },
    { name: 'B', summary: 'the image after' },
  ],
  options: [PLATFORM_OPTION, { name: 'no-files', summary: 'only configs and layers' }],
  examples: [
    { command: 'regi diff debian:12 debian:12-slim', summary: 'What slim leaves out' },
    {
      command: 'regi diff registry.example/app:1 oci:./build:app | grep ^file',
      summary: 'Which files a build changes',
    },
  ],
  load: async () => (await import('../inspect/diff.ts')).diffCommand,
} as const satisfies CommandSpec;

export const rootfsSpec = {
  name: 'rootfs',
  group: 'Look',
  summary: 'Write the files of an image as one tar',
  description:
    'Writes the merged file system of an image as a plain tar, as docker export and crane export do: owners, permissions, times, extended attributes, hard links and ' +
    'devices as they are. The layers are read twice, as they stream by, and nothing else is stored. With -o the file is there only if all layers were what their ' +
    'digests say; without it the exit status tells.\n\n' +
    'The tar has no name that leads out of the folder in which it is unpacked. Folders stand at its end, so that those that nobody may write into can be filled before.',
  arguments: [LOCATION_ARGUMENT],
  options: [
    PLATFORM_OPTION,
    {
      name: 'output',
      short: 'o',
      value: 'FILE',
      summary: 'write to this file; - is standard output',
    },
  ],
  examples: [
    {
      command: 'regi rootfs debian:12 | tar -x -C rootfs',
      summary: 'Unpack an image into a folder',
    },
    {
      command: 'regi rootfs --platform linux/arm64 debian:12 -o debian.tar',
      summary: 'Keep it as a file',
    },
  ],
  load: async () => (await import('../inspect/rootfs.ts')).rootfsCommand,
} as const satisfies CommandSpec;
