import type { CommandSpec } from '../../command.ts';
import {
  argument,
  DIGESTFILE,
  DRY_RUN,
  flag,
  FORCE,
  FOREIGN_LAYERS,
  FORMAT,
  KEEP_GOING,
  NO_CLOBBER,
  PLATFORMS,
  REFERRERS,
  SPARSE,
  SIGNERS,
  TAGS,
  CONTAINERS_POLICY,
  TRUSTED_ROOT,
  VERIFY_EXISTING,
  SUMMARY,
} from './shared.ts';

const group = 'Move';

export const MOVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'copy',
    group,
    aliases: ['cp', 'image copy', 'image cp'],
    changes: true,
    summary: 'Copy images between any two locations',
    description:
      'Copies an image byte for byte: digests never change, except with --platform on an index or with --format. An ' +
      'index is copied with all its platforms. Existing blobs are skipped, blobs of another ' +
      'repository in the same registry are mounted, and the tag is written last.\n\n' +
      '--sparse keeps an index, with its digest and signatures, and leaves out the images of other ' +
      'platforms. Some registries refuse such an index. A later copy with --force and without ' +
      '--sparse adds the rest. Of several images, those without the platform are skipped.\n\n' +
      'A location is one of:\n' +
      '- [docker://]REF: an image in a registry, named as in docker\n' +
      '- oci:DIR[:TAG]: an OCI image layout folder\n' +
      '- archive:FILE[:NAME]: an image archive in any format; docker can load what regi writes\n' +
      '- docker-archive:FILE[:NAME] or oci-archive:FILE[:NAME]: an archive in one format\n' +
      '- dir:DIR: a folder that skopeo wrote, as a source only\n' +
      '- local:REF: an image in the local store\n' +
      '- a path that begins with ./, ../ or /, or an existing .tar file, packed ones included\n\n' +
      'Prints one "registry/repository:tag@sha256:…" line per image on standard output.',
    arguments: [
      argument('[SRC]', 'the source location; omitted with --from'),
      argument(
        '[DST]',
        'the destination location; with --from, a PREFIX for lines without a destination',
      ),
    ],
    options: [
      PLATFORMS,
      SPARSE,
      flag('-a, --all-tags', 'copy every tag of the repository SRC to the repository DST'),
      TAGS,
      flag('--from FILE', 'read images from a file, "SRC [DST]" per line; - is standard input'),
      REFERRERS,
      FOREIGN_LAYERS,
      FORMAT,
      {
        ...NO_CLOBBER,
        summary:
          'never overwrite a tag: a single image fails with status 1, one of several is skipped',
      },
      DRY_RUN,
      FORCE,
      VERIFY_EXISTING,
      KEEP_GOING,
      ...SIGNERS,
      DIGESTFILE,
      SUMMARY,
    ],
    examples: {
      'Mirror an image with all its platforms':
        'regi copy debian:12 registry.example/mirror/debian:12',
      'Push an OCI layout from a build': 'regi copy oci:build registry.example/team/app:1.4',
      'Write an archive in the format of docker save':
        'regi copy registry.example/team/app:1.4 docker-archive:app.tar',
      'Copy the releases of one major version':
        "regi copy --tags '>=1.2 <2' registry.example/team/app backup.example/team/app",
      'See how much would be copied':
        'regi copy --dry-run --all-tags registry.example/team/app backup.example/team/app',
    },
    load: async () => (await import('../copy/copy.ts')).copyCommand,
  },
  {
    name: 'pull',
    group,
    aliases: ['image pull'],
    changes: true,
    summary: 'Pull an image to the local store or a file',
    description:
      "Pulls the image for this machine's platform; if there is none, the linux image for the same " +
      'processor. By default it goes into the local store (see `regi help images`), where `regi ' +
      'images`, `regi tag`, `regi push` and `regi rmi` find it by name. -o DIR/ writes an OCI ' +
      'layout and creates the folder; -o FILE writes a new archive that docker, podman and ' +
      'containerd can load.\n\n' +
      'Prints "Digest:", "Status:" and the full name on standard output, as docker does. The digest ' +
      'is that of the whole index, as in the registry. --quiet prints only the name.',
    arguments: [
      argument('REF', 'an image; with --all-tags, a repository'),
      argument('[FILE]', 'the same as -o FILE, as in crane; a path, or a name that ends in .tar'),
    ],
    options: [
      flag(
        '-o, --output DEST',
        'write to an archive FILE, to standard output (-), or to an OCI layout DIR/ (with the slash)',
      ),
      flag('-p, --platform P', 'pull another platform: os/arch[/variant]'),
      flag('--all-platforms', 'pull all platforms'),
      SPARSE,
      flag('-a, --all-tags', 'pull every tag of the repository'),
      REFERRERS,
      VERIFY_EXISTING,
      ...SIGNERS,
      SUMMARY,
    ],
    examples: {
      'Pull an image to the local store': 'regi pull debian:12',
      'Write an archive for `docker load`': 'regi pull debian:12 -o debian.tar',
      'Pull all platforms into a new folder':
        'regi pull --all-platforms registry.example/team/app:1.4 -o app/',
    },
    load: async () => (await import('../pull/pull.ts')).pullCommand,
  },
  {
    name: 'push',
    group,
    aliases: ['image push'],
    changes: true,
    summary: 'Push an image from the local store or a file',
    description:
      'If all arguments are references, each image is taken from the local store and pushed under ' +
      'its own name. If the first argument is a layout, an archive, a path or local:REF, that image ' +
      'is pushed to each REF, with all its platforms. Each blob is sent to a registry once, and ' +
      'existing blobs are skipped.\n\n' +
      'If REF ends with "/", every image of the layout or archive is pushed under its own name, as ' +
      '`regi import` does.\n\n' +
      'Prints one "registry/repository:tag@sha256:…" line per reference on standard output.',
    arguments: [
      argument(
        'IMAGE',
        'a reference in the local store, oci:DIR[:TAG], archive:FILE, local:REF, or a path such as ./dir',
      ),
      argument('[REF…]', 'the destination; after a local reference, another image to push'),
    ],
    options: [
      flag('-a, --all-tags', 'push every tag of the repository in the local store'),
      PLATFORMS,
      SPARSE,
      REFERRERS,
      FOREIGN_LAYERS,
      FORMAT,
      NO_CLOBBER,
      DRY_RUN,
      FORCE,
      VERIFY_EXISTING,
      KEEP_GOING,
      ...SIGNERS,
      DIGESTFILE,
      SUMMARY,
    ],
    examples: {
      'Push an image that was pulled or tagged': 'regi push registry.example/team/app:1.4',
      'Push an OCI layout from a build': 'regi push oci:build registry.example/team/app:1.4',
      'Push every image of an archive under its own name':
        'regi push ./images.tar registry.example/mirror/',
      'Push an image under two names':
        'regi push ./build registry.example/team/app:1.4 registry.example/team/app:latest',
    },
    load: async () => (await import('../move/push.ts')).pushCommand,
  },
  {
    name: 'tag',
    group,
    aliases: ['image tag'],
    changes: true,
    summary: 'Add a name to an image',
    description:
      'If REF has a registry, as in registry.example/app or docker://debian, NEW is a bare tag in the ' +
      'same repository, or a reference in that registry. Blobs are mounted into another repository, ' +
      'and blobs that cannot be mounted are copied.\n\n' +
      'If REF has no registry, begins with local:, or is an image id of at least 12 digits, NEW is a ' +
      'name in the local store, as in docker, or :TAG. A name in another registry is also added in ' +
      'the local store, which must hold REF; `regi push` then pushes it.\n\n' +
      'Prints one "registry/repository:tag@sha256:…" line per name on standard output, with "local:" ' +
      'before it in the local store.',
    arguments: [argument('REF', 'the image'), argument('NEW…', 'a tag or a reference')],
    options: [flag('--mount-only', 'fail if a blob cannot be mounted'), ...SIGNERS],
    examples: {
      'Move a tag in the same repository': 'regi tag registry.example/team/app:1.4 latest',
      'Promote an image without downloading it':
        'regi tag registry.example/staging/app:1.4 registry.example/release/app:1.4',
      'Name a pulled image for another registry':
        'regi tag nginx:1.27 registry.example/mirror/nginx:1.27',
    },
    load: async () => (await import('../move/tag.ts')).tagCommand,
  },
  {
    name: 'sync',
    group,
    changes: true,
    summarises: true,
    summary: 'Mirror the images that a file describes',
    description:
      'Reads a YAML file whose entries have a source, destinations and tag patterns. Copies tags that ' +
      'are new or have moved; with "prune", also deletes tags that the source no longer has. If ' +
      'nothing has changed, a run only requests the tag lists and the digest of each tag at both ' +
      'ends. docs/sync.md explains each field.\n\n' +
      'Prints "STATUS NAME:TAG@DIGEST" lines on standard output; STATUS is new, moved, kept, ' +
      'skipped, deleted or deferred. Failures and a summary are on standard error. One failure does ' +
      'not stop the others; the exit status is then 8, or 6 if pull limits were the only cause.',
    arguments: [
      argument('[FILE]', 'the file; - is standard input; omitted with --undo'),
      argument('[ENTRY…]', 'only these entries, by name or glob'),
    ],
    options: [
      flag(
        '--dry-run',
        'write no image or tag; show how tags are selected and what a run would do',
      ),
      flag('--heads', 'with --dry-run: read no manifests and show no sizes'),
      flag('--validate', 'check the file without sending any request'),
      flag('--fail-fast', 'stop at the first failure'),
      { ...FORCE, summary: 'check and repair images even if their tags match, immutable ones too' },
      flag('--all', 'also print unchanged images'),
      flag('--no-run', 'run none of the programs that the file names'),
      flag('--no-prune', 'delete no tag, whatever the file says'),
      flag(
        '--max-delete N',
        'allow N deletions per repository (3, or a tenth of its tags if more)',
      ),
      flag('--deleted-log FILE', 'record deleted tags here instead of in the --state folder'),
      flag('--write-lock LOCK', 'write the digests of all images to this file, if none failed'),
      flag('--locked LOCK', 'copy exactly the digests in this file; list and delete nothing'),
      flag('--shard I/N', 'do only part I of N; auto reads both from the CI or job engine'),
      flag('--matrix N', 'print as JSON which of N shards have work, and copy nothing'),
      flag('--from-regsync FILE', 'print a file of regsync in the form of this command'),
      flag('--from-skopeo FILE', 'print a YAML file of `skopeo sync` in the form of this command'),
      flag('--undo LOG', 'restore the deleted tags in this record if their blobs still exist'),
      ...CONTAINERS_POLICY,
      TRUSTED_ROOT,
      flag('--state DIR', "keep the cache and locks here instead of in the system's state folder"),
      SUMMARY,
    ],
    examples: {
      'See what a run would do': 'regi sync --dry-run mirror.yaml',
      'Mirror what is new or has moved': 'regi sync mirror.yaml',
      'Run one entry of the file': 'regi sync mirror.yaml debian',
    },
    load: async () => (await import('../sync/sync.ts')).syncCommand,
  },
];
