import type { CommandSpec } from '../../command.ts';

export const tagsDeleteSpec = {
  name: 'tags delete',
  group: 'Manage',
  aliases: ['tags rm', 'tag delete', 'tag rm'],
  changes: true,
  summary: 'Delete tags, and not what they name',
  description:
    'Deletes tags of registries and OCI layouts; the image stays under its digest and its other tags.\n\n' +
    'Many registries delete whole images only. There --via-dummy moves the tag to an empty throw-away manifest and deletes that. It first tries with a manifest ' +
    'that has no tag whether the registry deletes at all, so that the tag is not touched where it does not.',
  arguments: [{ name: 'REF', summary: 'a reference with a tag, or oci:DIR:TAG', variadic: true }],
  options: [
    {
      name: 'via-dummy',
      summary: 'by way of a throw-away manifest, where the registry deletes no single tags',
    },
  ],
  examples: [
    { command: 'regi tags delete registry.example/team/app:old', summary: 'Delete one tag' },
    {
      command: 'regi tags delete --via-dummy registry.example/team/app:old',
      summary: 'The same where the registry refuses',
    },
  ],
  load: async () => (await import('../manage/tags-delete.ts')).tagsDeleteCommand,
} as const satisfies CommandSpec;

export const deleteSpec = {
  name: 'delete',
  group: 'Manage',
  changes: true,
  summary: 'Delete an image, with all its tags',
  description:
    'Deletes a manifest by its digest from a registry or OCI layout. Every tag that names it goes with it: which these are is said before, and on a terminal ' +
    'regi asks. Images that an index lists stay, and so does what refers to the image.\n\n' +
    'Registries free the space of layers when their garbage collector runs. Some delete by ways of their own only, and regi says by which.',
  arguments: [{ name: 'REF', summary: 'REPOSITORY@DIGEST, or oci:DIR@DIGEST', variadic: true }],
  options: [{ name: 'yes', short: 'y', summary: 'do not ask; needed where there is no terminal' }],
  examples: [
    {
      command: 'regi delete registry.example/team/app@sha256:…',
      summary: 'See which tags go with an image, and delete it',
    },
    {
      command:
        'regi delete --yes registry.example/team/app@$(regi digest registry.example/team/app:old)',
      summary: 'Delete what a tag names, in a script',
    },
  ],
  load: async () => (await import('../manage/delete.ts')).deleteCommand,
} as const satisfies CommandSpec;

export const attachSpec = {
  name: 'attach',
  group: 'Manage',
  changes: true,
  summary: 'Attach files to an image: an SBOM, a report',
  description:
    'Makes an artifact of the files that refers to an image, and puts it beside the image: in its registry, or its OCI layout. The image stays as it is, byte for byte. ' +
    '`regi referrers` lists what is attached, and `regi copy --referrers` takes it along. A registry that knows no referrers gets them under the tag that the ' +
    'specification names for it.\n\n' +
    'Attaching the same files again changes nothing. Prints "registry/repository@sha256:…" of the artifact on standard output.',
  arguments: [{ name: 'FILE', summary: 'a file of this machine', variadic: true }],
  options: [
    { name: 'to', value: 'REF', summary: 'the image' },
    {
      name: 'type',
      value: 'TYPE',
      summary: 'what the artifact is: a media type, such as application/spdx+json',
    },
    {
      name: 'media-type',
      value: 'TYPE',
      summary: 'what the files are (application/json for .json, else application/octet-stream)',
    },
    {
      name: 'platform',
      value: 'P',
      summary: 'attach to the manifest of this platform: os/arch[/variant]',
    },
    {
      name: 'annotation',
      value: 'KEY=VALUE',
      repeatable: true,
      summary: 'an annotation of the artifact',
    },
  ],
  examples: [
    {
      command:
        'regi attach sbom.spdx.json --to registry.example/team/app:1.4 --type application/spdx+json',
      summary: 'Attach an SBOM',
    },
    {
      command:
        'regi attach report.html --to registry.example/team/app:1.4 --type application/vnd.example.scan --media-type text/html',
      summary: 'Attach the report of a scan',
    },
  ],
  load: async () => (await import('../manage/attach.ts')).attachCommand,
} as const satisfies CommandSpec;

export const indexCreateSpec = {
  name: 'index create',
  group: 'Manage',
  changes: true,
  summary: 'Make one image of several platforms out of several images',
  description:
    'Makes an index that lists the images, each with the platform that its config names, and gives it the name REF. Images of other places are copied to where REF ' +
    'is; of an index everything that it lists is taken. @sha256:… means an image of the repository of REF itself.\n\n' +
    'Two images of one platform are refused, for nobody would ever see the second. Prints "registry/repository@sha256:…" of the index on standard output.',
  arguments: [
    { name: 'REF', summary: 'the name of the index, in a registry or an OCI layout' },
    { name: 'IMAGE', summary: 'an image or index, from anywhere', variadic: true },
  ],
  options: [
    {
      name: 'annotation',
      value: 'KEY=VALUE',
      repeatable: true,
      summary: 'an annotation of the index',
    },
  ],
  examples: [
    {
      command:
        'regi index create registry.example/app:1.4 registry.example/app:1.4-amd64 registry.example/app:1.4-arm64',
      summary: 'One name for the builds of two machines',
    },
    {
      command: 'regi index create registry.example/app:1.4 oci:./amd64 oci:./arm64',
      summary: 'The same from layouts',
    },
  ],
  load: async () => (await import('../index-edit/create.ts')).indexCreateCommand,
} as const satisfies CommandSpec;

export const indexAddSpec = {
  name: 'index add',
  group: 'Manage',
  changes: true,
  summary: 'Add images to an index',
  description:
    'Adds images to the index that REF names, and moves the tag to the changed index, which has a digest of its own. All else that it says stays as it is. ' +
    'Images come from anywhere, as for `regi index create`.\n\nPrints "registry/repository@sha256:…" of the changed index on standard output.',
  arguments: [
    { name: 'REF', summary: 'the index, in a registry or an OCI layout' },
    { name: 'IMAGE', summary: 'an image or index, from anywhere', variadic: true },
  ],
  options: [{ name: 'replace', summary: 'take the place of images of the same platform' }],
  examples: [
    {
      command: 'regi index add registry.example/app:1.4 registry.example/app:1.4-s390x',
      summary: 'One more platform',
    },
    {
      command: 'regi index add --replace registry.example/app:1.4 oci:./fixed',
      summary: 'Another image for a platform',
    },
  ],
  load: async () => (await import('../index-edit/add.ts')).indexAddCommand,
} as const satisfies CommandSpec;

export const indexRemoveSpec = {
  name: 'index remove',
  group: 'Manage',
  aliases: ['index rm'],
  changes: true,
  summary: 'Take images out of an index',
  description:
    'Takes images out of the index that REF names, with the attestations about them, and moves the tag to the changed index, which has a digest of its own. ' +
    'The images themselves stay where they are.\n\nPrints "registry/repository@sha256:…" of the changed index on standard output.',
  arguments: [
    { name: 'REF', summary: 'the index, in a registry or an OCI layout' },
    { name: 'DIGEST', summary: 'what it lists', optional: true, variadic: true },
  ],
  options: [
    {
      name: 'platform',
      value: 'P',
      repeatable: true,
      summary: 'the image of this platform: os/arch[/variant]',
    },
  ],
  examples: [
    {
      command: 'regi index remove registry.example/app:1.4 --platform linux/386',
      summary: 'Drop a platform',
    },
  ],
  load: async () => (await import('../index-edit/remove.ts')).indexRemoveCommand,
} as const satisfies CommandSpec;
