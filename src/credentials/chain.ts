import { createContainersSource, namedAuthFile } from './containers-auth.ts';
import { createContainersPlacesSource, type ContainersPlacesOptions } from './containers-places.ts';
import type { CredentialSource } from './credential.ts';
import { createDockerSource } from './docker/source.ts';
import { createDockerAuthVariableSource, createEnvironmentSource } from './environment.ts';
import { createKeychainSource } from './keychain/index-file.ts';
import type { Keychain } from './keychain/keychain.ts';
import { createPointerSource, type PasswordPointer } from './pointer.ts';

/** Where credentials are searched. */
export interface CredentialChainOptions extends ContainersPlacesOptions {
  /** From `--src-creds` or `--dest-creds`, and its registry. */
  readonly pointer?: { readonly password: PasswordPointer; readonly registry: string } | undefined;
  /** The system's keychain; it is not searched when absent. */
  readonly keychain?: Keychain | undefined;
}

/**
 * All sources of credentials, the most explicit first: flags, `REGI_*` variables, the named auth
 * file, `DOCKER_AUTH_CONFIG`, docker's configuration and helpers, regi's entries in the keychain,
 * the auth.json files and helpers of podman and skopeo.
 *
 * @throws {InvalidConfigError} when the `REGI_*` variables are incomplete.
 */
export function createCredentialChain(options: CredentialChainOptions): CredentialSource {
  const { pointer, env, warn, keychain } = options;
  const named = namedAuthFile(options);
  return firstOf([
    ...(pointer === undefined
      ? []
      : [createPointerSource(pointer.password, pointer.registry, options)]),
    createEnvironmentSource(env),
    ...(named === undefined
      ? []
      : [
          createContainersSource({
            ...options,
            file: named,
            // podman and skopeo read nothing from an absent file that only the variable names.
            isRequired: options.authfile !== undefined,
          }),
        ]),
    createDockerAuthVariableSource(env, warn),
    createDockerSource(options),
    ...(keychain === undefined ? [] : [createKeychainSource({ ...options, keychain })]),
    createContainersPlacesSource(options),
  ]);
}

/**
 * Asks the sources in order, and returns the first credential. A source that fails ends the search:
 * otherwise another person's login could be used.
 */
export function firstOf(sources: readonly CredentialSource[]): CredentialSource {
  return async (host, repository, signal) => {
    for (const source of sources) {
      const found = await source(host, repository, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
