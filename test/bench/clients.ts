import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { peerPath } from '../support/programs/peer-path.ts';

/** A registry, with what a client needs to reach it. */
export interface Endpoint {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Of https: a PEM file, and a folder that has it as `ca.crt`. */
  readonly trust?: { readonly caPath: string; readonly caFolder: string } | undefined;
}

/** A thing to do that several clients can. */
export type Task =
  | {
      readonly kind: 'copy';
      readonly from: Endpoint;
      readonly to: Endpoint;
      readonly image: string;
    }
  | {
      readonly kind: 'copy-tags';
      readonly from: Endpoint;
      readonly to: Endpoint;
      readonly repository: string;
    }
  | { readonly kind: 'list'; readonly at: Endpoint; readonly repository: string }
  | { readonly kind: 'digest'; readonly at: Endpoint; readonly image: string }
  | {
      readonly kind: 'pull';
      readonly at: Endpoint;
      readonly image: string;
      readonly folder: string;
    }
  /** Into one tar, which is on the disk afterwards. */
  | {
      readonly kind: 'export';
      readonly at: Endpoint;
      readonly image: string;
      readonly file: string;
    }
  | {
      readonly kind: 'import';
      readonly file: string;
      readonly at: Endpoint;
      readonly image: string;
    }
  | {
      readonly kind: 'sync';
      readonly from: Endpoint;
      readonly to: Endpoint;
      readonly repositories: readonly string[];
      /** Those of each image; whole images when absent. Others than regi copy whole images then. */
      readonly platforms?: readonly string[] | undefined;
    }
  | { readonly kind: 'version' };

/** A program that moves images. */
export interface Client {
  readonly name: string;
  /** False for one that copies without hashing: it is shown, and no aim is compared with it. */
  readonly hashes?: false | undefined;
  /** The command line of a task; undefined when it cannot do it. */
  readonly argv: (task: Task, home: string) => readonly string[] | undefined;
  readonly env?: ((task: Task, home: string) => Readonly<Record<string, string>>) | undefined;
}

export function regiClient(name: string, bin: string): Client {
  const trust = (...endpoints: readonly Endpoint[]) =>
    endpoints
      .flatMap((endpoint) => (endpoint.trust ? ['--ca-file', endpoint.trust.caPath] : []))
      .slice(0, 2);
  const run = (...args: readonly string[]) => [process.execPath, bin, ...args];
  return {
    name,
    argv(task, home) {
      switch (task.kind) {
        case 'sync':
          return run('sync', mirrorFile(task, home), '--state', join(home, 'sync-state'));
        case 'copy':
          return run(
            'copy',
            ...trust(task.from, task.to),
            `${task.from.host}/${task.image}`,
            `${task.to.host}/${task.image}`,
          );
        case 'copy-tags':
          return run(
            'copy',
            '--all-tags',
            ...trust(task.from, task.to),
            `${task.from.host}/${task.repository}`,
            `${task.to.host}/${task.repository}`,
          );
        case 'list':
          return run('tags', 'list', ...trust(task.at), `${task.at.host}/${task.repository}`);
        case 'digest':
          return run('digest', ...trust(task.at), `${task.at.host}/${task.image}`);
        case 'pull':
          return run(
            'copy',
            ...trust(task.at),
            `${task.at.host}/${task.image}`,
            `oci:${task.folder}:1`,
          );
        case 'export':
          return run('export', ...trust(task.at), `${task.at.host}/${task.image}`, '-o', task.file);
        case 'import':
          return run('import', ...trust(task.at), task.file, task.at.host);
        case 'version':
          return run('--version');
      }
    },
  };
}

/**
 * The peers that this machine has: those of scripts/test-peers.sh, of Debian's newest first, and
 * those on PATH.
 */
export function findPeers(): readonly Client[] {
  return [skopeo, crane, regctl, oras].flatMap((peer) => {
    const path = installed(peer.name);
    return path === undefined
      ? []
      : [
          {
            ...peer,
            argv: (task: Task, home: string) =>
              peer === crane && task.kind === 'sync'
                ? craneLoop(path, task)
                : withProgram(path, peer.argv(task, home)),
          },
        ];
  });
}

const skopeo: Client = {
  name: 'skopeo',
  argv(task, home) {
    const policy = ['--insecure-policy'];
    const access = (prefix: string, { trust }: Endpoint) =>
      trust ? `--${prefix}cert-dir=${trust.caFolder}` : `--${prefix}tls-verify=false`;
    switch (task.kind) {
      case 'sync':
        return [
          ...policy,
          'sync',
          '--all',
          '--src',
          'yaml',
          '--dest',
          'docker',
          '--dest-tls-verify=false',
          skopeoFile(task, home),
          task.to.host,
        ];
      case 'copy':
        return [
          ...policy,
          'copy',
          '-q',
          access('src-', task.from),
          access('dest-', task.to),
        ].concat(
          `docker://${task.from.host}/${task.image}`,
          `docker://${task.to.host}/${task.image}`,
        );
      case 'copy-tags':
        return [
          ...policy,
          'sync',
          '--src',
          'docker',
          '--dest',
          'docker',
          access('src-', task.from),
          access('dest-', task.to),
        ].concat(`${task.from.host}/${task.repository}`, task.to.host);
      case 'list':
        return [
          ...policy,
          'list-tags',
          access('', task.at),
          `docker://${task.at.host}/${task.repository}`,
        ];
      case 'digest':
        return [
          ...policy,
          'inspect',
          '--format',
          '{{.Digest}}',
          '--no-tags',
          access('', task.at),
          `docker://${task.at.host}/${task.image}`,
        ];
      case 'pull':
        return [
          ...policy,
          'copy',
          '-q',
          access('src-', task.at),
          `docker://${task.at.host}/${task.image}`,
          `oci:${task.folder}:1`,
        ];
      case 'export':
        return [
          ...policy,
          'copy',
          '-q',
          access('src-', task.at),
          `docker://${task.at.host}/${task.image}`,
          `oci-archive:${task.file}:1`,
        ];
      case 'import':
        return [
          ...policy,
          'copy',
          '-q',
          access('dest-', task.at),
          `oci-archive:${task.file}`,
          `docker://${task.at.host}/${task.image}`,
        ];
      case 'version':
        return ['--version'];
    }
  },
};

/** Speaks plain http to loopback by itself. */
const crane: Client = {
  name: 'crane',
  argv(task) {
    switch (task.kind) {
      case 'sync':
        return undefined;
      case 'copy':
        return ['copy', `${task.from.host}/${task.image}`, `${task.to.host}/${task.image}`];
      case 'copy-tags':
        return [
          'copy',
          '--all-tags',
          '-j',
          '16',
          `${task.from.host}/${task.repository}`,
          `${task.to.host}/${task.repository}`,
        ];
      case 'list':
        return ['ls', `${task.at.host}/${task.repository}`];
      case 'digest':
        return ['digest', `${task.at.host}/${task.image}`];
      case 'pull':
        return ['pull', '--format', 'oci', `${task.at.host}/${task.image}`, task.folder];
      case 'export':
        return ['pull', `${task.at.host}/${task.image}`, task.file];
      case 'import':
        return ['push', task.file, `${task.at.host}/${task.image}`];
      case 'version':
        return ['version'];
    }
  },
  env: (task) =>
    trustOf(task) === undefined ? {} : { SSL_CERT_FILE: trustOf(task)?.caPath ?? '' },
};

const regctl: Client = {
  name: 'regctl',
  argv(task) {
    switch (task.kind) {
      case 'copy':
        return [
          'image',
          'copy',
          `${task.from.host}/${task.image}`,
          `${task.to.host}/${task.image}`,
        ];
      case 'list':
        return ['tag', 'ls', `${task.at.host}/${task.repository}`];
      case 'digest':
        return ['image', 'digest', `${task.at.host}/${task.image}`];
      case 'pull':
        return ['image', 'copy', `${task.at.host}/${task.image}`, `ocidir://${task.folder}:1`];
      case 'export':
        return ['image', 'export', `${task.at.host}/${task.image}`, task.file];
      case 'import':
        return ['image', 'import', `${task.at.host}/${task.image}`, task.file];
      case 'version':
        return ['version'];
      case 'copy-tags':
      case 'sync':
        return undefined;
    }
  },
  env(task, home) {
    const folder = join(home, 'regctl');
    mkdirSync(folder, { recursive: true });
    const config = join(folder, 'config.json');
    const hosts = endpointsOf(task).map(
      ({ host, trust }) => [host, trust ? { tls: 'insecure' } : { tls: 'disabled' }] as const,
    );
    writeFileSync(config, JSON.stringify({ hosts: Object.fromEntries(hosts) }));
    return { REGCTL_CONFIG: config };
  },
};

const oras: Client = {
  name: 'oras',
  hashes: false,
  argv(task) {
    const access = (prefix: string, { trust }: Endpoint) =>
      trust ? [`--${prefix}ca-file`, trust.caPath] : [`--${prefix}plain-http`];
    switch (task.kind) {
      case 'copy':
        return ['cp', '--no-tty', ...access('from-', task.from), ...access('to-', task.to)].concat(
          `${task.from.host}/${task.image}`,
          `${task.to.host}/${task.image}`,
        );
      case 'list':
        return ['repo', 'tags', ...access('', task.at), `${task.at.host}/${task.repository}`];
      case 'digest':
        return ['resolve', ...access('', task.at), `${task.at.host}/${task.image}`];
      case 'pull':
        return [
          'cp',
          '--no-tty',
          ...access('from-', task.at),
          `${task.at.host}/${task.image}`,
          '--to-oci-layout',
          `${task.folder}:1`,
        ];
      case 'version':
        return ['version'];
      case 'copy-tags':
      case 'export':
      case 'import':
      case 'sync':
        return undefined;
    }
  },
};

type SyncTask = Extract<Task, { readonly kind: 'sync' }>;

function mirrorFile({ from, to, repositories, platforms }: SyncTask, home: string): string {
  const file = join(home, `mirror-${to.host.replace(':', '-')}-${repositories.length}.yaml`);
  const narrowed = platforms === undefined ? '' : `, platforms: [${platforms.join(', ')}]`;
  const entries = repositories.map(
    (name) => `  - { from: '${from.host}/${name}', to: '${to.host}/${name}'${narrowed} }\n`,
  );
  writeFileSync(file, `version: 1\nimages:\n${entries.join('')}`);
  return file;
}

function skopeoFile({ from, repositories }: SyncTask, home: string): string {
  const file = join(home, `skopeo-${from.host.replace(':', '-')}-${repositories.length}.yaml`);
  const images = Object.fromEntries(repositories.map((name) => [name, []]));
  writeFileSync(file, JSON.stringify({ [from.host]: { 'tls-verify': false, images } }));
  return file;
}

/** crane knows one repository at a time. */
function craneLoop(path: string, { from, to, repositories }: SyncTask): readonly string[] {
  const copy = '"$0" copy --all-tags -j 16 "$FROM/$name" "$TO/$name"';
  const loop = `FROM=$1 TO=$2; shift 2; for name in "$@"; do ${copy} || exit 1; done`;
  return ['sh', '-c', loop, path, from.host, to.host, ...repositories];
}

function withProgram(
  path: string,
  args: readonly string[] | undefined,
): readonly string[] | undefined {
  return args && [path, ...args];
}

function endpointsOf(task: Task): readonly Endpoint[] {
  if ('from' in task) return [task.from, task.to];
  return 'at' in task ? [task.at] : [];
}

function trustOf(task: Task): Endpoint['trust'] {
  return endpointsOf(task).find(({ trust }) => trust !== undefined)?.trust;
}

function installed(name: string): string | undefined {
  const peers = PEERS.flatMap((peer) => (peer === name ? [peerPath('sid', peer)] : []));
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  return [...peers, ...onPath].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const PEERS = ['skopeo', 'crane', 'oras'] as const;
