import type { CommandSpec } from '../../command.ts';

export const doctorSpec = {
  name: 'doctor',
  group: 'Around it',
  summary: 'Find out why a registry cannot be used',
  description:
    'Looks at a registry step by step: proxy, mirrors, name, TCP, TLS with the certificates it shows, the API, how it asks for a login, which login is ' +
    'found and where, whether it is taken, the pull limit, and what the registry supports. Each step has its time, and what to do when it fails.\n\n' +
    'Nothing is changed there. With a repository behind the registry regi also tries whether it may be read, and asks it to delete a digest that ' +
    'cannot exist, to learn whether it deletes. With --push it begins an upload and gives it up again.\n\n' +
    'The exit status is that of the first step that failed. With --json each step is one object: step, status (ok, failed, note), ms, message, and where there ' +
    'are such hint, the code of the error, and facts.',
  arguments: [{ name: 'REGISTRY', summary: 'HOST[:PORT][/REPOSITORY], or https://HOST; Docker Hub when left out', optional: true }],
  options: [{ name: 'push', summary: 'try whether the repository may be written, and whether blobs can be mounted' }],
  examples: [
    { command: 'regi doctor registry.example:5000', summary: 'Look at a registry' },
    { command: 'regi doctor --push ghcr.io/octocat/app', summary: 'See whether a login may push to a repository' },
    { command: 'regi doctor', summary: 'See what is left of the pull limit of Docker Hub' },
  ],
  load: async () => (await import('../doctor.ts')).doctorCommand,
} as const satisfies CommandSpec;
