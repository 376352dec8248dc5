import { SingleFlight } from '../../concurrency/single-flight.ts';
import { credentialOfSecret, type CredentialSource, type FoundCredential } from '../credential.ts';
import {
  type ConfigPlace,
  credentialOf,
  dockerConfigFile,
  type DockerConfig,
  dockerKey,
  findAuthEntry,
  helperFor,
  readDockerConfig,
  type Warn,
} from './config.ts';
import { askHelper, createHelperRunner, programOf, type RunHelper } from './helper.ts';

export interface DockerSourceOptions extends ConfigPlace {
  /** Called for each entry that is skipped. */
  readonly warn: Warn;
  /** The real helpers when absent. */
  readonly runHelper?: RunHelper | undefined;
}

/**
 * The credentials that docker would use: those of its config.json, and of the helpers that it
 * names. The file is read once, and each host is looked up once, when first needed. If a helper is
 * named, user and password come only from it.
 */
export function createDockerSource(options: DockerSourceOptions): CredentialSource {
  const { env, warn, runHelper = createHelperRunner(env) } = options;
  const file = dockerConfigFile(options);
  const flights = new SingleFlight<FoundCredential | undefined>(new Map());
  let config: Promise<DockerConfig> | undefined;

  const lookUp = async (key: string, signal: AbortSignal): Promise<FoundCredential | undefined> => {
    config ??= readDockerConfig(file, warn);
    const loaded = await config;
    const entry = findAuthEntry(loaded, key);
    const helper = helperFor(loaded, key);
    const login = helper && (await askHelper(helper, key, runHelper, signal));
    if (helper === undefined || entry?.registryToken !== undefined) {
      const credential = entry && credentialOf(entry);
      return credential && { credential, origin: file.shown };
    }
    return login ? { credential: credentialOfSecret(login), origin: programOf(helper) } : undefined;
  };

  return async (host, _repository, signal) => {
    const key = dockerKey(host);
    return flights.run(key, (inner) => lookUp(key, inner), signal);
  };
}
