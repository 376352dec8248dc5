import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { makeCertificates } from '../support/http/certificates.ts';
import { startDockerRegistry, type DockerRegistry } from '../support/registries/docker-registry.ts';
import { runOrThrow } from '../support/programs/run-program.ts';
import { corpusLayout, type CorpusName } from './corpus.ts';
import { type Link, startLink } from './link.ts';

export interface ServersOptions {
  /** `bin/regi.js` */
  readonly regi: string;
  /** Where corpora stay for the next time. */
  readonly cache: string;
  /** Where the registries keep their content, for this time; best in memory. */
  readonly storage: string;
  /** As `storage`, on a disk: for what is too much for memory. */
  readonly disk: string;
  readonly say: (line: string) => void;
}

/** What a docker-registry is to be. */
export interface RegistryKind {
  readonly side: 'source' | 'destination';
  readonly tls?: boolean | undefined;
  readonly onDisk?: boolean | undefined;
}

export type LinkKind = 'loopback' | 'far' | 'gigabit';

/** 40 ms there and back. */
const LINKS = {
  far: { oneWayMs: 20 },
  gigabit: { oneWayMs: 20, bytesPerSecond: 125_000_000 },
} as const satisfies Record<Exclude<LinkKind, 'loopback'>, object>;

/** The servers of a bench. Each is started, and each corpus pushed, when it is first asked for. */
export class Servers {
  readonly #options: ServersOptions;
  readonly #made = new Map<string, Promise<unknown>>();
  readonly #children: ChildProcess[] = [];
  readonly #registries: DockerRegistry[] = [];
  readonly links: Link[] = [];

  constructor(options: ServersOptions) {
    this.#options = options;
  }

  /** A folder on a disk, for what clients write. */
  get disk(): string {
    return this.#options.disk;
  }

  layout(corpus: CorpusName): Promise<string> {
    return this.#once(`layout ${corpus}`, () => {
      this.#options.say(`corpus ${corpus}`);
      return corpusLayout(corpus, this.#options.cache);
    });
  }

  registry({ side, tls = false, onDisk = false }: RegistryKind): Promise<DockerRegistry> {
    const name = `${side}${tls ? '-tls' : ''}${onDisk ? '-disk' : ''}`;
    return this.#once(name, async () => {
      const certificates = tls ? await this.certificates() : undefined;
      const storage = join(onDisk ? this.#options.disk : this.#options.storage, name);
      mkdirSync(storage);
      const made = await startDockerRegistry({ storage, tls: certificates });
      this.#registries.push(made);
      return made;
    });
  }

  certificates(): Promise<ReturnType<typeof makeCertificates>> {
    return this.#once('certificates', async () =>
      makeCertificates({ hosts: ['127.0.0.1', 'localhost'] }),
    );
  }

  /** The host by which a client reaches a registry over a line. */
  async reach(host: string, kind: LinkKind): Promise<string> {
    if (kind === 'loopback') return host;
    const link = await this.#once(`link ${kind} ${host}`, async () => {
      const made = await startLink({ target: host, ...LINKS[kind] });
      this.links.push(made);
      return made;
    });
    return link.host;
  }

  /** Puts the content of a corpus into a registry, once, as the repository of the corpus's name. */
  async push(corpus: CorpusName, kind: RegistryKind): Promise<DockerRegistry> {
    const registry = await this.registry(kind);
    await this.#once(`push ${corpus} ${registry.host}`, async () => {
      const layout = await this.layout(corpus);
      this.#options.say(`pushing ${corpus} to ${registry.host}`);
      if (corpus === 'tags') return this.#fakeTags(layout, registry);
      const trust = kind.tls === true ? ['--ca-file', (await this.certificates()).caPath] : [];
      const many = corpus === 'many' ? Array.from({ length: 50 }, (_, tag) => `t${tag}`) : ['1'];
      // One after the other. regi is merely quick: docker-registry keeps the same bytes from any
      // client.
      for (const tag of many)
        await this.regi([
          'copy',
          '-q',
          ...trust,
          `oci:${layout}:${tag}`,
          `${registry.host}/${corpus}:${tag}`,
        ]);
    });
    return registry;
  }

  /** Puts image `tN` of a corpus into the repository `CORPUS-N`, for each N below `count`. */
  async pushApart(corpus: CorpusName, count: number, kind: RegistryKind): Promise<DockerRegistry> {
    const registry = await this.registry(kind);
    await this.#once(`push apart ${corpus} ${registry.host}`, async () => {
      const layout = await this.layout(corpus);
      this.#options.say(`pushing ${count} repositories of ${corpus} to ${registry.host}`);
      const lines = Array.from(
        { length: count },
        (_, at) => `oci:${layout}:t${at} ${registry.host}/${corpus}-${at}:1\n`,
      );
      const list = join(this.#options.storage, `${corpus}.txt`);
      writeFileSync(list, lines.join(''));
      await this.regi(['copy', '-q', '--from', list]);
    });
    return registry;
  }

  /**
   * Puts the same 20 tags into many repositories: one is pushed, and the files of the others are
   * copies.
   */
  async pushMany(corpus: CorpusName, count: number, kind: RegistryKind): Promise<DockerRegistry> {
    const registry = await this.registry(kind);
    await this.#once(`push many ${corpus} ${registry.host}`, async () => {
      const layout = await this.layout(corpus);
      this.#options.say(`making ${count} repositories at ${registry.host}`);
      const first = `${registry.host}/${corpus}-0`;
      await this.regi(['copy', '-q', '--all-tags', `oci:${layout}`, first]);
      const folder = join(registry.storage, 'docker/registry/v2/repositories');
      for (let at = 1; at < count; at += 1)
        cpSync(join(folder, `${corpus}-0`), join(folder, `${corpus}-${at}`), { recursive: true });
    });
    return registry;
  }

  regi(args: readonly string[]): Promise<string> {
    return runOrThrow(process.execPath, [this.#options.regi, ...args], {
      env: { PATH: process.env['PATH'] ?? '', HOME: this.#options.storage },
    });
  }

  /** `regi serve` on a layout, from the code as it is now. */
  serve(corpus: CorpusName): Promise<string> {
    return this.#once(`serve ${corpus}`, async () => {
      const layout = await this.layout(corpus);
      const args = [
        this.#options.regi,
        'serve',
        `oci:${layout}`,
        '--read-only',
        '--listen',
        '127.0.0.1:0',
      ];
      const child = spawn(process.execPath, args, {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: process.env['PATH'] ?? '', HOME: this.#options.storage },
      });
      this.#children.push(child);
      for await (const line of createInterface(child.stderr)) {
        const host = /listening on https?:\/\/(\S+)/.exec(line)?.[1];
        if (host !== undefined) {
          child.stderr.resume();
          return host;
        }
      }
      throw new Error('Cannot start `regi serve`: it ended');
    });
  }

  /**
   * A registry that has nothing but tags and gives them in pages: docker-registry of 2.8 gives all
   * at once.
   */
  pages(count: number, pageLength: number): Promise<string> {
    return this.#once('pages', async () => {
      const server = createServer((request, response) => {
        const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
        if (!pathname.endsWith('/tags/list')) return void response.end('{}');
        const from = Number(searchParams.get('last')?.slice(1) ?? 0);
        const to = Math.min(from + pageLength, count);
        if (to < count)
          response.setHeader('link', `<${pathname}?n=${pageLength}&last=v${to}>; rel="next"`);
        response.end(
          JSON.stringify({
            name: 'tags',
            tags: Array.from({ length: to - from }, (_, index) => `v${from + index}`),
          }),
        );
      });
      server.listen(0, '127.0.0.1').unref();
      await once(server, 'listening');
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
  }

  /**
   * Makes a destination empty again. docker-registry of 2.8 remembers nothing of its files when no
   * cache is configured.
   */
  async empty(registry: DockerRegistry): Promise<void> {
    for (const name of readdirSync(registry.storage))
      rmSync(join(registry.storage, name), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    for (const link of this.links) link.stop();
    await Promise.all(this.#registries.map((registry) => registry.stop()));
    for (const child of this.#children) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  /** Ten thousand PUTs take minutes; the files that they would make take a second. */
  async #fakeTags(layout: string, { host, storage }: DockerRegistry): Promise<void> {
    await this.regi(['copy', '-q', `oci:${layout}:v0`, `${host}/tags:v0`]);
    const digest = (await this.regi(['digest', `${host}/tags:v0`])).trim();
    const tags = join(storage, 'docker/registry/v2/repositories/tags/_manifests/tags');
    for (let tag = 1; tag < 10_000; tag += 1) {
      const folder = join(tags, `v${tag}`, 'current');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'link'), digest);
    }
  }

  #once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.#made.get(key);
    if (known !== undefined) return known as Promise<T>;
    const made = make();
    this.#made.set(key, made);
    return made;
  }
}
