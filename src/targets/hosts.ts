import type { Context } from '../context.ts';
import { readAuthorities, readCaFile } from '../configuration/authorities.ts';
import { readHostCertificates } from '../configuration/certs-d.ts';
import { readInsecureRegistries } from '../configuration/daemon-json.ts';
import { findRule, pullSources, type PullSource } from '../configuration/pull-sources.ts';
import { readRegiConfig } from '../configuration/regi-config.ts';
import { readRegistriesConf } from '../configuration/registries-conf-files.ts';
import type { RegistryRule } from '../configuration/registries-conf.ts';
import { RegiError } from '../errors.ts';
import type { Target } from '../http/connector.ts';
import { HostPolicy, type HostRules, type Scheme } from '../http/hosts.ts';
import type { Transport } from '../http/message.ts';
import { createProxyChooser } from '../http/proxy/proxy.ts';
import type { TlsSettings } from '../http/tls.ts';
import { createTransport, type HttpTransport } from '../http/transport.ts';
import { apiHost, formatReference, withDefaultTag, type Reference } from '../oci/reference.ts';
import { parseBytes } from '../option-values.ts';
import { VERSION } from '../version.ts';
import { configureLanes } from './host-lanes.ts';

/** The connection settings of a registry. */
export interface Way {
  readonly schemes: readonly Scheme[];
  readonly transport: Transport;
  /** Returns proxy, authorities and certificates for an origin. */
  readonly targetOf: (origin: URL) => Promise<Target>;
  /** Size of upload chunks in bytes. */
  readonly chunkSize: number | undefined;
}

/** The rules of flags, variables and files for the hosts of one command. */
export interface Hosts {
  /** @param insecure the rule of registries.conf for the repository. */
  way(host: string, insecure: boolean): Way;
  /**
   * Lists the sources of an image: the mirrors of its registry, then the registry, which may have
   * another location.
   *
   * @throws {RegiError} REFUSED when registries.conf blocks the registry.
   */
  sources(reference: Reference): readonly PullSource[];
  /**
   * True if registries.conf has a reference or host contacted without verification. Writes and
   * lists never go to a mirror or another location.
   *
   * @throws {RegiError} REFUSED when registries.conf blocks the registry.
   */
  isInsecure(name: Reference | string): boolean;
  close(): Promise<void>;
}

/**
 * Reads the files about hosts: regi's config.yaml, registries.conf and docker's daemon.json.
 * Certificates are read when a host is contacted.
 *
 * @throws {InvalidConfigError} when one of the first two, or `--ca-file`, cannot be read.
 */
export async function createHosts(context: Context): Promise<Hosts> {
  const { io, settings, signal, warn, log } = context;
  const { env, home, cwd } = io;
  const { os } = io.host;
  const [own, registriesConf, insecureRegistries, ca] = await Promise.all([
    readRegiConfig({ env, home, cwd }),
    readRegistriesConf({ env, home, cwd }),
    readInsecureRegistries({ home, warn, log }),
    settings.caFile === undefined ? undefined : readCaFile(settings.caFile, '--ca-file', signal),
  ]);
  configureLanes(context, (host) => own.get(host.toLowerCase())?.concurrency);
  const insecureByName = [...own].flatMap(([host, { insecure }]) => (insecure ? [host] : []));
  const rules: HostRules = {
    insecureRegistries: [...settings.insecureRegistries, ...insecureRegistries, ...insecureByName],
    plainHttp: settings.plainHttp,
    tlsSkipVerify: settings.tlsSkipVerify,
    ca,
  };
  const proxy = createProxyChooser(env);
  /** Names as written in references, by the host of a URL. */
  const names = new Map<string, string>();
  const authorities = once(() => readAuthorities({ env, os, warn }));

  async function certificates(
    origin: URL,
  ): Promise<Pick<TlsSettings, 'system' | 'ca' | 'cert' | 'key'>> {
    const name = names.get(origin.host) ?? origin.host;
    const file = own.get(name.toLowerCase())?.ca;
    const given = settings.registryAuthorities?.get(name.toLowerCase());
    const [system, found, named, more] = await Promise.all([
      authorities(),
      readHostCertificates(name, { home, os, warn }),
      file === undefined
        ? []
        : readCaFile(file, `the host ${name} in config.yaml`, signal).then((text) => [text]),
      given === undefined
        ? []
        : readCaFile(given, `caFile of ${name}`, signal).then((text) => [text]),
    ]);
    const all = [...(ca === undefined ? [] : [ca]), ...named, ...more, ...found.ca];
    return {
      system,
      ca: all.length === 0 ? undefined : all,
      ...(found.cert.length > 0 && { cert: found.cert, key: found.key }),
    };
  }

  function createWay(more: readonly string[]): {
    readonly policy: HostPolicy;
    readonly transport: HttpTransport;
  } {
    const policy = new HostPolicy({
      ...rules,
      insecureRegistries: [...(rules.insecureRegistries ?? []), ...more],
    });
    const transport = createTransport({
      userAgent: `regi/${VERSION}`,
      tls: async (origin) => ({ ...policy.tls(origin), ...(await certificates(origin)) }),
      proxy,
      lookup: io.lookup,
      idleTimeoutMs: settings.timeoutMs,
      responseTimeoutMs: settings.timeoutMs,
    });
    return { policy, transport };
  }

  const strict = createWay([]);
  /**
   * registries.conf may mark one namespace of a host insecure: its connections are not shared with
   * the others.
   */
  const loose = new Map<string, typeof strict>();

  function way(host: string, insecure: boolean): Way {
    names.set(new URL(`https://${apiHost(host)}`).host, host);
    const known = insecure ? (loose.get(host) ?? createWay([host])) : strict;
    if (insecure) loose.set(host, known);
    const chunkSize = own.get(host.toLowerCase())?.chunkSize;
    return {
      schemes: known.policy.for(host).schemes,
      transport: known.transport.send,
      targetOf: (origin) => known.transport.targetOf(origin),
      chunkSize:
        settings.chunkSize ??
        (chunkSize === undefined
          ? undefined
          : parseBytes(`chunkSize of ${host} in config.yaml`, chunkSize)),
    };
  }

  function ruleOf(reference: Reference | string): RegistryRule | undefined {
    if (registriesConf === undefined) return undefined;
    const name =
      typeof reference === 'string' ? reference : formatReference(withDefaultTag(reference));
    const rule = findRule(registriesConf.rules, name);
    if (rule?.blocked === true)
      throw new RegiError(
        'REFUSED',
        `Cannot use "${name}": the registry "${rule.prefix}" is blocked`,
        {
          hint: `it is blocked in one of: ${registriesConf.files.join(', ')}`,
        },
      );
    return rule;
  }

  return {
    way,
    sources: (reference) =>
      pullSources(
        withDefaultTag(reference),
        ruleOf(reference),
        own.get(reference.domain.toLowerCase())?.mirrors,
      ),
    isInsecure: (name) => ruleOf(name)?.insecure ?? false,
    close: async () => {
      await Promise.all([strict, ...loose.values()].map(({ transport }) => transport.close()));
    },
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
