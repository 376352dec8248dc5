import type { CommandSpec, OptionSpec } from '../../command.ts';
import { ANNOTATION, argument, DRY_RUN, flag, INDEX, INDEX_IMAGES, PLATFORM } from './shared.ts';

const group = 'Manage';

/** Selects what a deletion removes. */
const SELECTING: readonly OptionSpec[] = [
  flag('--match PATTERN…', 'select tags that match a glob, /regex/ or semver range; ! excludes'),
  flag('--older-than AGE', 'select tags of images created longer ago, such as 30d or 12h'),
  { ...DRY_RUN, summary: 'delete nothing; show what would be deleted' },
  flag('-y, --yes', 'do not ask; required if there is no terminal'),
];

const SELECTION =
  '--match and --older-than select tags of whole repositories. regi counts them and asks. A tag stays if ' +
  'a tag that was not selected needs the same image, or if --older-than finds no date in its image.';

export const MANAGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'tags delete',
    group,
    aliases: ['tags rm', 'tag delete', 'tag rm'],
    changes: true,
    summary: 'Delete tags but keep the images',
    description:
      'Deletes tags from registries and OCI layouts. The image keeps its digest and its other ' +
      'tags.\n\n' +
      'Many registries can only delete whole images. For them, --via-dummy moves the tag to an empty ' +
      'throw-away manifest and deletes that manifest. Before it touches the tag, regi checks with an ' +
      'untagged manifest that the registry can delete manifests.\n\n' +
      SELECTION,
    arguments: [
      argument(
        'REF…',
        'a reference with a tag, or oci:DIR:TAG; with --match and --older-than, a repository',
      ),
    ],
    options: [
      ...SELECTING,
      flag('--via-dummy', 'use a throw-away manifest if the registry cannot delete single tags'),
    ],
    examples: {
      'Delete a tag': 'regi tags delete registry.example/team/app:old',
      'Delete the tags of old pull requests':
        "regi tags delete --match 'pr-*' --older-than 30d registry.example/team/app",
      'Delete a tag where the registry cannot':
        'regi tags delete --via-dummy registry.example/team/app:old',
    },
    load: async () => (await import('../manage/tags-delete.ts')).tagsDeleteCommand,
  },
  {
    name: 'delete',
    group,
    aliases: ['manifest delete', 'image delete'],
    changes: true,
    summary: 'Delete an image and all its tags',
    description:
      'Deletes a manifest by digest from a registry or OCI layout, and with it every tag that names ' +
      'it. regi lists these tags first and asks on a terminal. The images that an index lists stay, ' +
      'and so do the referrers of the image.\n\n' +
      'Registries free the space of layers when their garbage collector runs. Some registries delete ' +
      'only through an interface of their own; regi then says which.\n\n' +
      SELECTION,
    arguments: [
      argument(
        'REF…',
        'REPOSITORY@DIGEST or oci:DIR@DIGEST; with --match and --older-than, a repository',
      ),
    ],
    options: SELECTING,
    examples: {
      'Show the tags of an image, ask, and delete it':
        'regi delete registry.example/team/app@sha256:…',
      'Delete the image of a tag in a script':
        'regi delete --yes registry.example/team/app@$(regi digest registry.example/team/app:old)',
    },
    load: async () => (await import('../manage/delete.ts')).deleteCommand,
  },
  {
    name: 'attach',
    group,
    changes: true,
    summary: 'Attach files such as an SBOM to an image',
    description:
      'Stores the files as an artifact whose subject is the image, in the registry or OCI layout of ' +
      'the image. The image itself does not change. `regi referrers` lists attached artifacts, and ' +
      '`regi copy --referrers` copies them. If the registry has no referrers API, regi maintains the ' +
      'referrers tag that the specification defines.\n\n' +
      'Attaching the same files again changes nothing. Prints "registry/repository@sha256:…" of the ' +
      'artifact on standard output.',
    arguments: [argument('FILE…', 'a file on this machine')],
    options: [
      flag('--to REF', 'the image'),
      flag('--type TYPE', 'the artifact type: a media type such as application/spdx+json'),
      flag(
        '--media-type TYPE',
        'the media type of the files (application/json for .json, else application/octet-stream)',
      ),
      {
        ...PLATFORM,
        summary: 'attach to the manifest of this platform: os/arch[/variant]',
      },
      ANNOTATION,
    ],
    examples: {
      'Attach an SBOM':
        'regi attach sbom.spdx.json --to registry.example/team/app:1.4 --type application/spdx+json',
      'Attach a scan report':
        'regi attach report.html --to registry.example/team/app:1.4 --type application/vnd.example.scan --media-type text/html',
    },
    load: async () => (await import('../manage/attach.ts')).attachCommand,
  },
  {
    name: 'index create',
    group,
    changes: true,
    summary: 'Create a multi-platform index from images',
    description:
      'Creates an index named REF that lists the images, each with the platform from its config. ' +
      'Images from other locations are copied to the repository of REF. If IMAGE is an ' +
      'index, all its entries are added. @sha256:… means an image in the repository of REF.\n\n' +
      'Two images for one platform are refused, because clients would only ever use the first. ' +
      'Prints "registry/repository:tag@sha256:…" of the index on standard output.',
    arguments: [INDEX, INDEX_IMAGES],
    options: [ANNOTATION],
    examples: {
      'Combine the builds of two machines under one name':
        'regi index create registry.example/app:1.4 registry.example/app:1.4-amd64 registry.example/app:1.4-arm64',
      'Combine two OCI layouts':
        'regi index create registry.example/app:1.4 oci:./amd64 oci:./arm64',
    },
    load: async () => (await import('../manage/edit-index.ts')).indexCreateCommand,
  },
  {
    name: 'index add',
    group,
    changes: true,
    summary: 'Add images to an index',
    description:
      'Adds images to the index REF and moves its tag to the changed index, which has a new digest. ' +
      'Everything else in the index stays. Images may come from any location, as for `regi index ' +
      'create`.\n\n' +
      'Prints "registry/repository:tag@sha256:…" of the changed index on standard output.',
    arguments: [INDEX, INDEX_IMAGES],
    options: [flag('--replace', 'replace images of the same platform')],
    examples: {
      'Add a platform': 'regi index add registry.example/app:1.4 registry.example/app:1.4-s390x',
      'Replace the image of a platform':
        'regi index add --replace registry.example/app:1.4 oci:./fixed',
    },
    load: async () => (await import('../manage/edit-index.ts')).indexAddCommand,
  },
  {
    name: 'index remove',
    group,
    aliases: ['index rm'],
    changes: true,
    summary: 'Remove images from an index',
    description:
      'Removes images and their attestations from the index REF, and moves its tag to the changed ' +
      'index, which has a new digest. The images themselves stay in the repository.\n\n' +
      'Prints "registry/repository:tag@sha256:…" of the changed index on standard output.',
    arguments: [INDEX, argument('[DIGEST…]', 'an entry of the index')],
    options: [
      {
        ...PLATFORM,
        repeatable: true,
        summary: 'remove the image of this platform: os/arch[/variant]',
      },
    ],
    examples: {
      'Drop a platform': 'regi index remove registry.example/app:1.4 --platform linux/386',
    },
    load: async () => (await import('../manage/edit-index.ts')).indexRemoveCommand,
  },
];
