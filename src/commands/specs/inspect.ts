import type { CommandSpec } from '../../command.ts';
import { argument, flag, IMAGE, OUTPUT_FILE, PLATFORM, REPOSITORY, SIGNERS } from './shared.ts';

const group = 'Inspect';

export const INSPECT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'inspect',
    group,
    aliases: ['image inspect', 'buildx imagetools inspect'],
    summary: 'Show details of an image',
    description:
      'Shows digest, platforms, entrypoint, environment, labels and layers of an image, without ' +
      "downloading its layers. For an image of several platforms, this machine's platform is shown; " +
      'if there is none, linux on the same processor; else the first.\n\n' +
      'The size of every platform is shown where that needs no request: for archives, layouts and the ' +
      'local store. --sizes asks a registry too, with a request for each platform; Docker Hub counts ' +
      'them as pulls.\n\n' +
      'An archive or a layout with several images is listed as by `regi images FILE`.\n\n' +
      'An image that its registry does not have, or that cannot be reached, is taken from the local ' +
      'store, with a line on standard error. `local:` means the local store alone, and `docker://` the ' +
      'registry alone.\n\n' +
      '--json prints one object. "name", "reference", "digest", "mediaType", "size" and "annotations" ' +
      'describe the manifest or index that the name resolves to. "manifests" lists the entries of an ' +
      'index: "platform", "digest", "mediaType", "size", "compressedSize", "artifactType", "attests", "annotations". ' +
      '"image" is the image itself: "digest", "platform", "os", "architecture", "variant", "created", ' +
      '"author", "user", "workingDir", "stopSignal", "entrypoint", "cmd", "env", "exposedPorts", ' +
      '"volumes", "labels", "configDigest", "configMediaType", "compressedSize", "artifactType", ' +
      '"subject", "base", "annotations", "layers" and "history". Unset fields are omitted or empty; ' +
      'sizes are in bytes.\n\n' +
      '--format takes the same names in a Go template; fields of "image" need no prefix: {{.Digest}}, ' +
      '{{.Labels.name}}, {{index .Labels "a.b"}}, {{json .Env}}, {{join .Cmd " "}}, {{len .Layers}}, ' +
      '{{range .Layers}}{{.Size}}{{end}}.',
    arguments: [IMAGE],
    options: [
      PLATFORM,
      flag('--raw', 'print the manifest, byte for byte'),
      flag('--config', 'print the config, byte for byte'),
      flag('-f, --format TEMPLATE', 'format the output with a Go template'),
      flag('--sizes', 'also ask a registry for the size of every platform'),
    ],
    examples: {
      'Show an image': 'regi inspect debian:12',
      'List the images of an archive': 'regi inspect images.tar',
      'List the layers for another platform':
        'regi inspect --platform linux/arm64 --json debian:12 | jq .image.layers',
      'Print one field': "regi inspect --format '{{.Digest}}' debian:12",
    },
    load: async () => (await import('../inspect/inspect.ts')).inspectCommand,
  },
  {
    name: 'history',
    group,
    aliases: ['image history'],
    summary: 'Show the build history of an image',
    description:
      'Shows each build step, starting with the base image: the compressed size of its layer, with a ' +
      'bar, and the command. --json prints the commands in full.',
    arguments: [IMAGE],
    options: [PLATFORM],
    examples: {
      'Find the step that made an image large': 'regi history debian:12',
    },
    load: async () => (await import('../inspect/history.ts')).historyCommand,
  },
  {
    name: 'digest',
    group,
    aliases: ['resolve', 'image digest', 'manifest head'],
    summary: 'Print the digest of an image',
    description:
      'Prints the digest of an image; for an image of several platforms, the digest of its index. ' +
      'Sends one request, which registries do not count as a pull: the digest is the one that the registry ' +
      'states. --expect reads the manifest and hashes it. Several images get a line each: the ' +
      'digest and the name, as sha256sum prints them.',
    arguments: [{ ...IMAGE, variadic: true }],
    options: [PLATFORM, flag('--expect DIGEST', 'fail with status 7 if the digest differs')],
    examples: {
      'Print the digest to pin': 'regi digest debian:12',
      'Print the digest of one platform': 'regi digest --platform linux/arm64 debian:12',
    },
    load: async () => (await import('../inspect/digest.ts')).digestCommand,
  },
  {
    name: 'tags list',
    group,
    aliases: ['ls', 'tags ls', 'tag ls', 'tag list', 'list-tags', 'repo tags'],
    summary: 'List the tags of a repository',
    description:
      'Prints one tag per line in the order of the registry, each page as it arrives.\n\n' +
      '--sort semver and --sort created print the newest first, so --limit keeps the newest. Tags ' +
      'without a version or date come last. Sorting needs all pages. --sort created also reads the ' +
      'manifest and config of every tag, which some registries count as pulls.\n\n' +
      '--digests adds the digest after a tab, at the cost of one request per tag. --long reads the ' +
      'manifest and config of each tag that it prints; the size is that of the image for this ' +
      'machine, compressed, or of the first one. A terminal that is too narrow shows fewer columns.',
    arguments: [REPOSITORY],
    options: [
      flag(
        '--match PATTERN…',
        'list only tags that match a glob, /regex/ or semver range; ! excludes',
      ),
      flag('--sort ORDER', 'sort by name, or newest first', ['name', 'semver', 'created']),
      flag('--reverse', 'reverse the order, so that --limit keeps the other end'),
      flag('--limit N', 'list at most N tags'),
      flag('--digests', 'also print the digest of each tag'),
      flag(
        '--format TEMPLATE',
        'format each line with a Go template: .Tag, .Digest, .Created, .Size, .Platforms',
      ),
      flag('-l, --long', 'print a table: tag, digest, created, size and platforms'),
    ],
    examples: {
      'List every tag of an official image': 'regi tags list docker.io/library/debian',
      'List five releases, reading only as many pages as needed':
        "regi ls registry.example/app --match '>=2.0.0' | head -5",
      'Show the five newest images': 'regi ls -l --sort created --limit 5 registry.example/app',
      'Print the newest release': 'regi ls registry.example/app --sort semver --limit 1',
    },
    load: async () => (await import('../inspect/tags-list.ts')).tagsListCommand,
  },
  {
    name: 'repos list',
    group,
    aliases: ['catalog', 'repo ls', 'repo list'],
    summary: 'List the repositories of a registry',
    description:
      'Prints one repository per line, without the registry name, each page as it arrives. Many ' +
      'registries do not have such a list, or show it only to administrators.',
    arguments: [argument('REGISTRY', 'HOST[:PORT], or HOST[:PORT]/NAMESPACE for one namespace')],
    options: [],
    examples: {
      'List every repository': 'regi repos list registry.example:5000',
      'List the repositories whose names begin with team/': 'regi repos list registry.example/team',
    },
    load: async () => (await import('../inspect/repos-list.ts')).reposListCommand,
  },
  {
    name: 'search',
    group,
    summary: 'Search repositories by name',
    description:
      'Searches Docker Hub, best matches first, with stars and pulls. Official images, verified ' +
      'publishers and sponsored open-source projects are marked.\n\n' +
      'REGISTRY/TERM searches that registry instead. Harbor has its own search, which finds public ' +
      'projects; other registries are searched through their catalog, if they have one.',
    arguments: [argument('TERM', 'a term, or REGISTRY/TERM')],
    options: [
      flag('--limit N', 'print at most N results, 1 to 100 (25)'),
      flag('-f, --filter FILTER…', 'filter by stars=N (at least N) or is-official=true'),
    ],
    examples: {
      'Find official images': 'regi search --filter is-official=true nginx',
      'Search a Harbor registry': 'regi search harbor.example/postgres',
    },
    load: async () => (await import('../inspect/search.ts')).searchCommand,
  },
  {
    name: 'referrers',
    group,
    aliases: ['artifact tree', 'artifact list', 'discover'],
    summary: 'Show signatures, SBOMs and other referrers',
    description:
      'Shows a tree of the signatures, SBOMs, attestations and other artifacts that refer to an image, ' +
      'to each manifest of its index, and to those artifacts in turn. regi finds them through the ' +
      "referrers API or the referrers tag, cosign's tags, and the index, in which buildkit stores its " +
      'attestations.\n\n' +
      '--json prints one object per line. "kind" is image, platform or referrer. A referrer has ' +
      '"artifactType", "digest", "mediaType", "size", "subject", "found" (subject, tag or index), ' +
      '"tag", "annotations" and, for signatures, "signature". Signatures are verified if a policy is given; ' +
      'those of notation are listed and not read.',
    arguments: [IMAGE],
    options: [
      PLATFORM,
      flag('--type TYPE', 'show only artifacts of this type; * matches any characters'),
      ...SIGNERS,
    ],
    examples: {
      'Show the signatures and SBOMs of an image': 'regi referrers registry.example/team/app:1',
      'Print the digests of its SBOMs':
        "regi referrers --json --type '*spdx*' registry.example/team/app:1 | jq -r .digest",
    },
    load: async () => (await import('../inspect/referrers.ts')).referrersCommand,
  },
  {
    name: 'files',
    group,
    summary: 'List the files in an image',
    description:
      'Lists the files that a container of the image would see, sorted by path. The layers are ' +
      'streamed and merged in memory; nothing is unpacked or stored. With a path, lists everything ' +
      'below it. Symbolic links are followed inside the image.\n\n' +
      '-l adds type and permissions, owner, size in bytes and the time in UTC, as tar -tv does. A ' +
      'hard-linked file is listed under each of its names. Control characters are escaped.\n\n' +
      '--json has "path", "type" (file, folder, symlink, character, block or fifo), "mode", "uid", ' +
      '"gid", "size", "modified", "link", "device" and "layer".',
    arguments: [IMAGE, argument('[PATH]', 'a folder or file in the image (/)')],
    options: [
      PLATFORM,
      flag('-l, --long', 'show permissions, owner, size and time'),
      flag('--depth N', 'descend at most N levels; 1 lists only the folder'),
    ],
    examples: {
      'List a folder': 'regi files -l --depth 1 debian:12 /etc',
      'Find large files': "regi files --json debian:12 | jq -r 'select(.size > 10000000) | .path'",
    },
    load: async () => (await import('../inspect/files.ts')).filesCommand,
  },
  {
    name: 'cat',
    group,
    aliases: ['image get-file'],
    summary: 'Print files from an image',
    description:
      'Prints the content of files as a container of the image would see them, one after the other. ' +
      'Symbolic links are followed inside the image. The layers are streamed, and the layer of a large ' +
      'file is read twice; nothing is unpacked or stored.\n\n' +
      'If a layer does not match its digest, the exit status is 7 and the output must not be used.',
    arguments: [IMAGE, argument('PATH…', 'a file in the image')],
    options: [PLATFORM],
    examples: {
      'Print the distribution of an image': 'regi cat debian:12 /etc/os-release',
      'Extract a program from an image':
        'regi cat registry.example/team/app:1 /app/server > server',
    },
    load: async () => (await import('../inspect/cat.ts')).catCommand,
  },
  {
    name: 'diff',
    group,
    summary: 'Compare two images',
    description:
      'Compares configs, layers and files of two images for the same platform, in any locations. Each ' +
      'line begins with its kind and a mark: + only in the second image, - only in the first, ' +
      '~ changed, = a layer at the bottom of both.\n\n' +
      'Files are compared by type, content, permissions, owner and link target, but not by time, ' +
      'which every build changes. The layers of both images are streamed once; --no-files reads no ' +
      'layers. The exit status is 0 whether the images differ or not.\n\n' +
      '--json prints one object per line. "kind" is images, config, layer, file or summary; "change" ' +
      'is added, removed, changed or same; "before" and "after" are the two sides.',
    arguments: [argument('A', 'the first image'), argument('B', 'the second image')],
    options: [PLATFORM, flag('--no-files', 'compare only configs and layers')],
    examples: {
      'Show the difference between two variants': 'regi diff debian:12 debian:12-slim',
      'List the files that a build changes':
        'regi diff registry.example/app:1 oci:./build:app | grep ^file',
    },
    load: async () => (await import('../inspect/diff.ts')).diffCommand,
  },
  {
    name: 'rootfs',
    group,
    summary: 'Export the file system of an image as a tar',
    description:
      'Writes the merged file system of an image as a plain tar, like docker export and crane export, ' +
      'with owners, permissions, times, extended attributes, hard links and devices. The layers are ' +
      'streamed twice; nothing else is stored. With -o, the file is only created if every layer ' +
      'matches its digest; without -o, check the exit status.\n\n' +
      'No name in the tar points outside the folder in which it is unpacked. Folders come last, so that ' +
      'read-only folders can be filled first.',
    arguments: [IMAGE],
    options: [PLATFORM, OUTPUT_FILE],
    examples: {
      'Unpack an image into a folder': 'regi rootfs debian:12 | tar -x -C rootfs',
      'Write the file system to a file':
        'regi rootfs --platform linux/arm64 debian:12 -o debian.tar',
    },
    load: async () => (await import('../inspect/rootfs.ts')).rootfsCommand,
  },
];
