import type { CommandSpec } from '../../command.ts';
import { argument, flag, VERIFIERS } from './shared.ts';

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
      'Nothing is changed in the registry. With a repository, regi also checks that it can be read, ' +
      'and asks to delete a digest that cannot exist, to learn whether deletion is enabled. --push ' +
      'also starts an upload and cancels it.\n\n' +
      'The exit status is that of the first failed step. --json prints one object per step: step, ' +
      'status (ok, failed, note), ms and message, and where known hint, code (of the error) and facts.',
    arguments: [
      argument('[REGISTRY]', 'HOST[:PORT][/REPOSITORY] or https://HOST; default: Docker Hub'),
    ],
    options: [flag('--push', 'check that you may push to the repository and mount blobs')],
    examples: {
      'Check a registry': 'regi doctor registry.example:5000',
      'Check that your login may push to a repository': 'regi doctor --push ghcr.io/octocat/app',
      'Show what is left of the pull limit of Docker Hub': 'regi doctor',
    },
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
      '"docker.io/library/debian:12" as "library/debian:12". If images of two registries have the ' +
      'same path, both are served under HOST/PATH, and "?ns=HOST" from a mirror client selects one. ' +
      'Bare tags are served in a repository named after the folder or file: the tag "1.0" of ' +
      '"oci:./Builds" as "builds:1.0". A single image without a name becomes "latest".\n\n' +
      'Pushed images are stored under their full name, new ones as "localhost/team/app:1.0"; ' +
      '`oci:DIR:localhost/team/app:1.0` finds them. All repositories of a layout share its ' +
      'content.\n\n' +
      'On a loopback address, every user of this machine has access. Any other address needs ' +
      '--htpasswd or --read-only, unless only archives are served. Requests from web pages are refused: those with an Origin header, ' +
      'or with a Host that is neither an address nor a known name.\n\n' +
      '--key, --identity and --verify beside --read-only serve a manifest only if it is signed so, if ' +
      'such an index leads to it, or if it is a signature. Any other one is denied with 403, and the ' +
      'reason is printed on standard error. Blobs and lists are served as always.\n\n' +
      'When ready, prints "listening on URL" on standard error, or with --json an object on standard ' +
      'output. SIGINT or SIGTERM stops it: it accepts no new connections, lets transfers finish for 30 ' +
      'seconds and exits with 0. A second signal ends it at once. -v logs each request.',
    arguments: [
      argument(
        '[LOC…]',
        'oci:DIR (created if missing), or paths of layout folders, archives and folders of archives; default: local:',
      ),
    ],
    options: [
      flag(
        '--listen HOST:PORT',
        'listen on this address (127.0.0.1:5000); port 0 picks a free one',
      ),
      flag('--memory', 'keep everything in memory'),
      flag('--read-only', 'refuse every write'),
      ...VERIFIERS,
      flag(
        '--sparse',
        'accept a manifest before its blobs, and an index without all of its images',
      ),
      flag('--htpasswd FILE', 'require a login from this file, made with `htpasswd -B`'),
      flag('--tls-cert FILE', 'serve https with this certificate chain (PEM)'),
      flag('--tls-key FILE', 'the private key of --tls-cert (PEM)'),
      flag(
        '--allow-host HOST…',
        'also accept this name in the Host header, besides those in --tls-cert',
      ),
    ],
    examples: {
      'Let containerd, docker or podman pull images from the local store': 'regi serve',
      'Store pushed images in a folder': 'regi serve oci:./images',
      'Run a registry for a test on a free port': 'regi serve --memory --listen 127.0.0.1:0',
      'Let a whole network pull from a USB stick':
        'regi serve /media/stick/images.tar --listen 0.0.0.0:5000',
      'Serve two archives and a folder as one registry':
        'regi serve images.tar more.tar oci:./builds',
    },
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
      'To enable it for one session or in ~/.bashrc: source <(regi completion bash). In ~/.zshrc, ' +
      'after compinit: source <(regi completion zsh).',
    arguments: [argument('SHELL', 'bash, zsh or fish')],
    options: [],
    examples: {
      'Install for bash with bash-completion':
        'regi completion bash > ~/.local/share/bash-completion/completions/regi',
      'Install for zsh, into a folder in fpath': 'regi completion zsh > ~/.zfunc/_regi',
      'Install for fish': 'regi completion fish > ~/.config/fish/completions/regi.fish',
    },
    load: async () => (await import('../complete/completion.ts')).completionCommand,
  },
];
