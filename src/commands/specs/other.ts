import type { CommandSpec } from '../../command.ts';

const group = 'Other';

export const OTHER_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'doctor',
    group,
    summary: 'Diagnose why a registry cannot be used',
    description:
      'Checks a registry step by step: proxy, mirrors, name, TCP, TLS and its certificates, the API, ' +
      'how it asks for a login, which login is found and where, whether it is accepted, the pull ' +
      'limit, and what the registry supports. Each step shows its time, and what to do if it fails.\n\n' +
      'Nothing is changed in the registry. With a repository, regi also checks that it may be read, ' +
      'and asks to delete a digest that cannot exist, to learn whether the registry deletes. --push ' +
      'also starts an upload and cancels it.\n\n' +
      'The exit status is that of the first failed step. --json prints one object per step: step, ' +
      'status (ok, failed, note), ms and message; where known also hint, the code of the error, and ' +
      'facts.',
    arguments: [
      {
        name: 'REGISTRY',
        summary: 'HOST[:PORT][/REPOSITORY] or https://HOST (Docker Hub)',
        optional: true,
      },
    ],
    options: [
      {
        name: 'push',
        summary: 'check that the repository may be written and blobs can be mounted',
      },
    ],
    examples: [
      { command: 'regi doctor registry.example:5000', summary: 'Check a registry' },
      {
        command: 'regi doctor --push ghcr.io/octocat/app',
        summary: 'Check that your login may push to a repository',
      },
      { command: 'regi doctor', summary: 'Show what is left of the pull limit of Docker Hub' },
    ],
    load: async () => (await import('../other/doctor.ts')).doctorCommand,
  },
  {
    name: 'serve',
    group,
    changes: true,
    summary: 'Run a registry on this machine',
    description:
      'Serves the local store (see `regi help images`), an OCI layout or archives as an OCI registry: ' +
      'pull, push, mount, list and delete. --memory keeps everything in memory and loses it at the ' +
      'end.\n\n' +
      'Archives are served read-only, straight from their files: nothing is unpacked or copied. ' +
      'Several locations are served as one registry, so an incremental archive finds the layers of ' +
      'the earlier one. If several contain the same name, the last one wins. Layout folders among ' +
      'them are served read-only too, as a snapshot taken at start.\n\n' +
      'An image with a full name is served under its repository path without the registry: ' +
      '"docker.io/library/debian:12" as "library/debian:12". If two registries have the same path, ' +
      'both are served with their host first, and "?ns=HOST" from a mirror client selects one. Bare ' +
      'tags are served in a repository named after the folder or file: the tag "1.0" of ' +
      '"oci:./Builds" as "builds:1.0". A single image without a name becomes "latest".\n\n' +
      'Pushed images are stored under their full name, new ones as "localhost/team/app:1.0"; ' +
      '`oci:DIR:localhost/team/app:1.0` finds them. All repositories of a layout share its ' +
      'content.\n\n' +
      'On a loopback address, every user of this machine has access. Any other address needs ' +
      '--htpasswd or --read-only. Requests from web pages are refused: those with an Origin header, ' +
      'or with a Host that is neither an address nor a known name.\n\n' +
      'When ready, prints "listening on URL" on standard error, or with --json an object on standard ' +
      'output. SIGINT or SIGTERM stops it: it accepts no new connections, lets transfers finish for 30 ' +
      'seconds and exits with 0. A second signal ends it at once. -v logs each request.',
    arguments: [
      {
        name: 'LOC',
        summary:
          'oci:DIR (created if missing), or the paths of layout folders and archives (local:)',
        optional: true,
        variadic: true,
      },
    ],
    options: [
      {
        name: 'listen',
        value: 'HOST:PORT',
        summary: 'listen on this address (127.0.0.1:5000); port 0 picks a free one',
      },
      { name: 'memory', summary: 'keep everything in memory' },
      { name: 'read-only', summary: 'refuse every write' },
      {
        name: 'htpasswd',
        value: 'FILE',
        summary: 'require a user of this file, made with `htpasswd -B`',
      },
      {
        name: 'tls-cert',
        value: 'FILE',
        summary: 'serve https with this certificate chain (PEM)',
      },
      { name: 'tls-key', value: 'FILE', summary: 'the private key of --tls-cert (PEM)' },
      {
        name: 'allow-host',
        value: 'HOST',
        repeatable: true,
        summary: 'also accept this Host name; the names in --tls-cert are accepted',
      },
    ],
    examples: [
      {
        command: 'regi serve',
        summary: 'Let containerd, docker or podman pull images from the local store',
      },
      { command: 'regi serve oci:./images', summary: 'Store pushed images in a folder' },
      {
        command: 'regi serve --memory --listen 127.0.0.1:0',
        summary: 'Run a registry for a test on a free port',
      },
      {
        command: 'regi serve /media/stick/images.tar --listen 0.0.0.0:5000',
        summary: 'Let a whole network pull from a stick',
      },
      {
        command: 'regi serve images.tar more.tar oci:./builds',
        summary: 'Serve two archives and a folder as one registry',
      },
    ],
    load: async () => (await import('../serve/serve.ts')).serveCommand,
  },
  {
    name: 'completion',
    group,
    summary: 'Print a shell completion script',
    description:
      'Prints a script for bash, zsh or fish. Tab then completes commands, flags and their values, ' +
      'location prefixes, files, registries with a login, images in the local store, and the ' +
      'repositories and tags of a registry that responds within two seconds. Completion ' +
      'does not use the keychain and never asks for a password.\n\n' +
      'For one session, or in ~/.bashrc, or in ~/.zshrc after compinit: source <(regi completion ' +
      'bash).',
    arguments: [{ name: 'SHELL', summary: 'bash, zsh or fish' }],
    options: [],
    examples: [
      {
        command: 'regi completion bash > ~/.local/share/bash-completion/completions/regi',
        summary: 'Install for bash with bash-completion',
      },
      {
        command: 'regi completion zsh > ~/.zfunc/_regi',
        summary: 'Install for zsh, into a folder in fpath',
      },
      {
        command: 'regi completion fish > ~/.config/fish/completions/regi.fish',
        summary: 'Install for fish',
      },
    ],
    load: async () => (await import('../complete/completion.ts')).completionCommand,
  },
];
