import {
  containersAuthPaths,
  createContainersSource,
  flatAuthPath,
  namedAuthFile,
} from './containers-auth.ts';
import type { CredentialSource } from './credential.ts';
import { createDockerAuthVariableSource } from './docker/auth-variable.ts';
import { createDockerSource, type DockerSourceOptions } from './docker/source.ts';
import { createEnvironmentSource } from './environment.ts';
import { createKeychainSource } from './keychain/source.ts';
import type { Keychain } from './keychain/keychain.ts';
import { createPointerSource, type PasswordPointer } from './pointer.ts';

export interface CredentialChainOptions extends DockerSourceOptions {
  readonly cwd: string;
  /** Of `--src-creds` or `--dest-creds`, and the registry it is for. */
  readonly pointer?: { readonly password: PasswordPointer; readonly registry: string } | undefined;
  /** Of `--authfile`. */
  readonly authfile?: string | undefined;
  readonly keychain?: Keychain | undefined;
}

/**
 * Everything that may know credentials, the most explicit first: flags, `REGI_*` variables, the named auth file,
 * `DOCKER_AUTH_CONFIG`, docker's configuration and helpers, what regi keeps in the keychain, the auth.json files of podman and skopeo.
 *
 * @throws {InvalidConfigError} when the `REGI_*` variables are incomplete.
 */
export function createCredentialChain(options: CredentialChainOptions): CredentialSource {
  const { pointer, env, warn, home, cwd, authfile, keychain } = options;
  const named = namedAuthFile(authfile, env, cwd);
  return firstOf([
    ...(pointer === undefined
      ? []
      : [createPointerSource(pointer.password, pointer.registry, options)]),
    createEnvironmentSource(env),
    ...(named === undefined
      ? []
      : [createContainersSource({ ...options, path: named, isRequired: true })]),
    createDockerAuthVariableSource(env, warn),
    createDockerSource(options),
    ...(keychain === undefined ? [] : [createKeychainSource({ env, home, warn, keychain })]),
    ...(named === undefined ? containersAuthPaths(env, home) : []).map((path) =>
      createContainersSource({ ...options, path }),
    ),
    ...(named === undefined
      ? [createContainersSource({ ...options, path: flatAuthPath(home), isFlat: true })]
      : []),
  ]);
}

/** Asks one source after the other; the first that answers wins. A source that fails ends the search: silence would pick another person. */
export function firstOf(sources: readonly CredentialSource[]): CredentialSource {
  return async (host, repository, signal) => {
    for (const source of sources) {
      const found = await source(host, repository, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
