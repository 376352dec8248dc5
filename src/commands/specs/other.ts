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
  arguments: [
    {
      name: 'REGISTRY',
      summary: 'HOST[:PORT][/REPOSITORY], or https://HOST; Docker Hub when left out',
      optional: true,
    },
  ],
  options: [
    {
      name: 'push',
      summary: 'try whether the repository may be written, and whether blobs can be mounted',
    },
  ],
  examples: [
    { command: 'regi doctor registry.example:5000', summary: 'Look at a registry' },
    {
      command: 'regi doctor --push ghcr.io/octocat/app',
      summary: 'See whether a login may push to a repository',
    },
    { command: 'regi doctor', summary: 'See what is left of the pull limit of Docker Hub' },
  ],
  load: async () => (await import('../other/doctor.ts')).doctorCommand,
} as const satisfies CommandSpec;

export const serveSpec = {
  name: 'serve',
  group: 'Around it',
  changes: true,
  summary: 'Run a registry on this machine',
  description:
    'Serves the local store (see `regi help images`) as an OCI registry: pull, push, mount, list, delete; or with LOC an image layout. With --memory there is no folder, and everything is gone when it stops. ' +
    'Archives are served to be pulled from, straight from their files: nothing is unpacked or copied. Several are served as one, so that an incremental archive ' +
    'stands beside the one before it; of a name that several have, the last counts. Layout folders may be among them: they are read only then, as they are when the ' +
    'command begins.\n\n' +
    'An image that index.json names by a full reference is served by its repository path without the registry: "docker.io/library/debian:12" as ' +
    '"library/debian:12". Where two registries have the same path, each is served with its host before it, and "?ns=HOST" of a mirror\'s client chooses. ' +
    'Bare tags are served in a repository named after the folder or file: the tag "1.0" of "oci:./Builds" as "builds:1.0", and an only image without a name as "latest". What is pushed is written under ' +
    'its full reference, "localhost/team/app:1.0" for what is new, so that `oci:DIR:localhost/team/app:1.0` finds it, and a restart too. ' +
    'All repositories of a layout share its content.\n\n' +
    'Whoever may use this machine may use a registry on loopback. Another address needs --htpasswd or --read-only. Requests of web pages (an Origin header, ' +
    'or a Host that is neither an address nor a known name) are refused.\n\n' +
    'Prints "listening on URL" on standard error, or with --json an object on standard output, when it is ready. SIGINT or SIGTERM stops it: it takes no new ' +
    'connections, lets transfers finish for 30 seconds and exits with 0; a second signal ends it at once. With -v each request is a line.',
  arguments: [
    {
      name: 'LOC',
      summary:
        'local: for the local store, which is the default; oci:DIR, made when it is missing; the path of a layout folder; or the paths of several, and of archives',
      optional: true,
      variadic: true,
    },
  ],
  options: [
    {
      name: 'listen',
      value: 'HOST:PORT',
      summary: 'where to listen (127.0.0.1:5000); port 0 takes a free one',
    },
    { name: 'memory', summary: 'keep everything in memory' },
    { name: 'read-only', summary: 'refuse everything that writes' },
    {
      name: 'htpasswd',
      value: 'FILE',
      summary: 'let in only the users of this file; made by `htpasswd -B`',
    },
    { name: 'tls-cert', value: 'FILE', summary: 'speak https with this certificate chain, in PEM' },
    { name: 'tls-key', value: 'FILE', summary: 'the private key of --tls-cert, in PEM' },
    {
      name: 'allow-host',
      value: 'HOST',
      repeatable: true,
      summary: 'answer under this name too; those of --tls-cert are known',
    },
  ],
  examples: [
    {
      command: 'regi serve',
      summary: 'Let containerd, docker or podman on this machine pull what regi pulled',
    },
    {
      command: 'regi serve oci:./images',
      summary: 'A registry that keeps what is pushed in a folder',
    },
    {
      command: 'regi serve --memory --listen 127.0.0.1:0',
      summary: 'A registry for a test, on a free port',
    },
    {
      command: 'regi serve /media/stick/images.tar --listen 0.0.0.0:5000',
      summary: 'Let a whole network pull from a stick',
    },
    {
      command: 'regi serve images.tar more.tar oci:./builds',
      summary: 'Two archives and a folder as one registry',
    },
  ],
  load: async () => (await import('../serve/serve.ts')).serveCommand,
} as const satisfies CommandSpec;

export const completionSpec = {
  name: 'completion',
  group: 'Around it',
  summary: 'Print what makes a shell complete regi commands',
  description:
    'Prints a script for bash, zsh or fish. With it, Tab completes commands, flags and their values, kinds of places, files, registries with a login, images of the ' +
    'local store, and the repositories and tags of a registry that answers within two seconds. Nothing is asked of the keychain, and no password of anybody.\n\n' +
    'For one session, or in ~/.bashrc and in ~/.zshrc behind compinit: source <(regi completion bash).',
  arguments: [{ name: 'SHELL', summary: 'bash, zsh or fish' }],
  options: [],
  examples: [
    {
      command: 'regi completion bash > ~/.local/share/bash-completion/completions/regi',
      summary: 'For bash with bash-completion, once',
    },
    {
      command: 'regi completion zsh > ~/.zfunc/_regi',
      summary: 'For zsh, once, into a folder of fpath',
    },
    {
      command: 'regi completion fish > ~/.config/fish/completions/regi.fish',
      summary: 'For fish, once',
    },
  ],
  load: async () => (await import('../complete/completion.ts')).completionCommand,
} as const satisfies CommandSpec;
