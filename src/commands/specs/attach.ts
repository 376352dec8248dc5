import type { CommandSpec } from '../../command.ts';

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
    { name: 'type', value: 'TYPE', summary: 'what the artifact is: a media type, such as application/spdx+json' },
    { name: 'media-type', value: 'TYPE', summary: 'what the files are (application/json for .json, else application/octet-stream)' },
    { name: 'platform', value: 'P', summary: 'attach to the manifest of this platform: os/arch[/variant]' },
    { name: 'annotation', value: 'KEY=VALUE', repeatable: true, summary: 'an annotation of the artifact' },
  ],
  examples: [
    { command: 'regi attach sbom.spdx.json --to registry.example/team/app:1.4 --type application/spdx+json', summary: 'Attach an SBOM' },
    {
      command: 'regi attach report.html --to registry.example/team/app:1.4 --type application/vnd.example.scan --media-type text/html',
      summary: 'Attach the report of a scan',
    },
  ],
  load: async () => (await import('../attach.ts')).attachCommand,
} as const satisfies CommandSpec;
