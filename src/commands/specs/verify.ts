import type { CommandSpec } from '../../command.ts';

export const verifySpec = {
  name: 'verify',
  group: 'Air gap',
  summary: 'Read everything again and check it',
  description:
    'Reads every manifest, config and layer that an image leads to, and compares size and digest. A layout or archive without a name behind it is verified whole, ' +
    'and "local:" alone is the local store; then content that nothing names is shown as extra, which is no fault. Platforms that an archive lists and does not ' +
    'carry are shown as absent, and are none either. Layers that an incremental archive leaves out are shown as "absent (in base)"; it is whole together with ' +
    'the archives that --base names.\n\nPrints a line for each place and one for each node that is missing, corrupt, absent or extra. Ends with ' +
    'exit status 7 when anything is missing or corrupt, and with 8 when some of several places could not be read.',
  arguments: [{ name: 'LOC', summary: 'a reference, oci:DIR[:TAG], archive:FILE[:TAG], a path, local:REF, or local: alone', variadic: true }],
  options: [
    { name: 'deep', summary: 'unpack layers too, and compare them with the diff_ids of the config' },
    { name: 'base', value: 'FILE', repeatable: true, summary: 'an earlier archive, which has what an incremental one leaves out' },
  ],
  examples: [
    { command: 'regi verify ./delta.tar --base images.tar', summary: 'Check an incremental archive together with the one before it' },
    { command: 'regi verify /media/stick/images.tar', summary: 'Check what a stick carries' },
    { command: 'regi verify --deep registry.example/team/app:1.4', summary: 'Check an image in a registry, layers unpacked' },
    { command: 'regi verify --json local: | jq .problems', summary: 'Check the local store' },
  ],
  load: async () => (await import('../verify.ts')).verifyCommand,
} as const satisfies CommandSpec;
