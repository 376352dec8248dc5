import type { CommandSpec } from '../../command.ts';
import {
  argument,
  DIGESTFILE,
  DRY_RUN,
  flag,
  FORCE,
  FOREIGN_LAYERS,
  FORMAT,
  NO_CLOBBER,
  PLATFORMS,
  REFERRERS,
  SPARSE,
  SIGNERS,
  TAGS,
  TRUSTED_ROOT,
  VERIFY_EXISTING,
  SUMMARY,
} from './shared.ts';

const group = 'Air gap';

export const AIR_GAP_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'export',
    group,
    aliases: ['save', 'image save', 'image export'],
    changes: true,
    summary: 'Save images to one archive',
    description:
      'Writes images to one tar that regi, docker, podman, containerd, skopeo and crane can read: an ' +
      "OCI image layout with all platforms, and docker's manifest.json with one platform. Shared " +
      'layers are stored once, digests do not change, and the same images give the same bytes. For a ' +
      'layout or archive without a name, all its images are exported.\n\n' +
      'The file appears only when it is complete. After an interruption, the same command resumes.\n\n' +
      '--since omits the layers that an earlier archive contains; `regi import` finds them at the ' +
      'destination. OLD is that archive, or the list that --write-list wrote for it. --split writes ' +
      'FILE.001, FILE.002 and so on, which every command reads as FILE.\n\n' +
      'An image that its registry does not have, or that cannot be reached, is taken from the local ' +
      'store. `regi save` takes it from there first, as docker does.\n\n' +
      'Prints one "archive:FILE@sha256:…" line per image on standard output.',
    arguments: [
      argument(
        '[REF…]',
        'an image, oci:DIR or archive:FILE; with --tags and --all-tags, a repository',
      ),
    ],
    options: [
      flag(
        '-o, --output FILE',
        'the archive; - is standard output, docker-archive:FILE the old format of docker save',
      ),
      flag(
        '--from FILE',
        'also read images from a file, "REF [NAME]" per line; - is standard input',
      ),
      flag('-a, --all-tags', 'export every tag of each repository'),
      TAGS,
      PLATFORMS,
      SPARSE,
      flag('--docker-platform P', 'the platform that docker load gets (linux/amd64)'),
      REFERRERS,
      FOREIGN_LAYERS,
      flag('--since OLD…', 'omit the layers in this earlier archive or its list'),
      flag(
        '--write-list FILE',
        'write a list of the layers that the destination will have, for a later --since',
      ),
      flag('--split SIZE', 'split into files of this size, such as 4G for a FAT32 USB stick'),
      flag('--checksum', 'also write FILE.sha256 for sha256sum -c'),
      { ...DRY_RUN, summary: 'write nothing; show how large the archive would be' },
      ...SIGNERS,
      DIGESTFILE,
      SUMMARY,
    ],
    examples: {
      'Save two images with all their platforms':
        'regi export debian:12 registry.example/team/app:1.4 -o images.tar',
      'Save the releases of a repository, and a list for the next export':
        "regi export --tags '>=1.2' registry.example/team/app -o app.tar --write-list app.json",
      'Save a newer release without the layers already carried over':
        'regi export --since app.json registry.example/team/app:1.5 -o more.tar',
      'Save a list of images to a USB stick':
        'regi export --from images.txt -o /media/stick/images.tar --split 4G --checksum',
      'Send an image to another machine':
        'regi export local:debian:12 -o - | ssh host regi import -',
    },
    load: async () => (await import('../export/export.ts')).exportCommand,
  },
  {
    name: 'import',
    group,
    aliases: ['load', 'image load'],
    changes: true,
    summary: 'Load every image of an archive into a registry',
    description:
      'Reads an archive from any tool, compressed or not, in one file or several. Each image is pushed ' +
      'to PREFIX and its repository path without the registry: "docker.io/library/debian:12" becomes ' +
      '"PREFIX/library/debian:12". Without PREFIX and --map, images go into the local store under ' +
      'their own names. Images without a full name get a repository named after the file.\n\n' +
      'All destinations are checked before anything is written. Layers that an incremental archive ' +
      'omits are found at the destination, mounted from the repositories that received the earlier ' +
      'archive, or downloaded from there and pushed. If any is missing, regi lists all missing layers ' +
      'and writes nothing.\n\n' +
      'Prints one "registry/repository:tag@sha256:…" line per image on standard output. The exit status ' +
      'is 8 if some of several images failed.',
    arguments: [
      argument(
        '[FILE]',
        'an archive, the folder of an OCI layout, archive:FILE:NAME for one image, or - for standard input, which `load` reads without FILE',
      ),
      argument('[PREFIX]', 'HOST[:PORT][/PATH] before each name'),
    ],
    options: [
      flag('--map OLD=NEW…', 'rename an image, or a repository with all its tags'),
      flag(
        '--base REPO…',
        'a repository of the registry that has the layers omitted from an incremental archive',
      ),
      PLATFORMS,
      SPARSE,
      FOREIGN_LAYERS,
      FORMAT,
      NO_CLOBBER,
      {
        ...DRY_RUN,
        summary:
          'write nothing; show the destinations and what would be uploaded, mounted and skipped',
      },
      FORCE,
      VERIFY_EXISTING,
      ...SIGNERS,
      DIGESTFILE,
      SUMMARY,
    ],
    examples: {
      'Load every image of an archive into a registry':
        'regi import images.tar registry.example:5000/mirror',
      'Load them into the local store, as docker load does': 'regi import images.tar',
      'Rename a repository with all its tags':
        'regi import images.tar --map debian=registry.example/base/debian',
      'Load only one platform':
        'regi import images.tar registry.example:5000 --platform linux/arm64',
      'Check that an incremental archive finds all its layers':
        'regi import --dry-run more.tar registry.example:5000/mirror',
    },
    load: async () => (await import('../import/import.ts')).importCommand,
  },
  {
    name: 'verify',
    group,
    aliases: ['validate'],
    summary: 'Check that images are complete and undamaged',
    description:
      'Reads every manifest, config and layer of an image again and compares size and digest. For a ' +
      'layout or archive without a name, and for "local:" alone (the local store), everything is ' +
      'verified; unused content is then listed as extra.\n\n' +
      'Platforms that an archive lists but does not contain are listed as absent, which is no error. ' +
      'In other locations they are an error unless --sparse is given. Layers that an incremental archive omits are listed as "absent (in base)". ' +
      'Such an archive is complete only together with the archives that --base names.\n\n' +
      'Prints one line per location and one per missing, corrupt, absent or extra blob. The exit ' +
      'status is 7 if an image is incomplete or damaged, and 8 if some of several locations could not ' +
      'be read.\n\n' +
      '--signatures verifies signatures of cosign instead, in both of its forms, with the public key of ' +
      '--key, the certificates of --identity and --issuer, or the rules of --verify. It prints a line per ' +
      'signature with the step that refused it, and exits with 9 if an image lacks the required signature.',
    arguments: [
      argument(
        'LOC…',
        'a reference, oci:DIR[:TAG], archive:FILE[:NAME], a path, local:REF, or local: alone',
      ),
    ],
    options: [
      flag('--deep', 'also unpack layers and compare them with the diff_ids in the config'),
      flag('--sparse', 'accept indexes some of whose images are absent, in any location'),
      flag('--base FILE…', 'an earlier archive with the layers that an incremental one omits'),
      flag('--signatures', 'verify signatures instead of content'),
      ...SIGNERS,
      flag('--as NAME', 'with --signatures: the name that decides for an archive or layout'),
    ],
    examples: {
      'Check an incremental archive together with the one before it':
        'regi verify ./delta.tar --base images.tar',
      'Check an archive on a USB stick': 'regi verify /media/stick/images.tar',
      'Check an image in a registry, with unpacked layers':
        'regi verify --deep registry.example/team/app:1.4',
      'Check the local store': 'regi verify --json local: | jq .problems',
      'Check who signed an image':
        'regi verify --signatures --key cosign.pub registry.example/team/app:1.4',
    },
    load: async () => (await import('../verify/verify.ts')).verifyCommand,
  },
  {
    name: 'trust root',
    group,
    summary: 'Show trusted transparency logs and authorities',
    description:
      "Prints the trusted root for signatures with certificates: that of sigstore's public instance, which " +
      'is part of regi and never fetched, or that of --trusted-root. Each line has the kind, the name and ' +
      'the time of one key.\n\n' +
      'An old root verifies old signatures. It does not know logs that were added since.',
    arguments: [],
    options: [TRUSTED_ROOT],
    examples: {
      'Show the pinned root': 'regi trust root',
      'Check a root of your own': 'regi trust root --trusted-root trusted_root.json',
    },
    load: async () => (await import('../trust/root.ts')).trustRootCommand,
  },
];
