import {
  containersAuthFiles,
  createContainersSource,
  namedAuthFile,
  type ContainersPlace,
} from './containers-auth.ts';
import { credentialOfSecret, type CredentialSource } from './credential.ts';
import {
  askHelper,
  createHelperRunner,
  CredentialHelperError,
  programOf,
} from './docker/helper.ts';
import type { DockerSourceOptions } from './docker/source.ts';

/** Where podman and skopeo look for logins by default. */
export interface ContainersPlacesOptions extends DockerSourceOptions, ContainersPlace {
  /**
   * Reads the `credential-helpers` of registries.conf; undefined for those of podman's default,
   * which is `containers-auth.json` alone.
   */
  readonly containersHelpers?: (() => Promise<readonly string[] | undefined>) | undefined;
}

/** The entry of `credential-helpers` that means the auth.json files. */
export const AUTH_FILES = 'containers-auth.json';

/** Lists the `credential-helpers` of registries.conf, in their order. */
export async function containersHelpers({
  containersHelpers: read,
}: ContainersPlacesOptions): Promise<readonly string[]> {
  return (await read?.()) ?? [AUTH_FILES];
}

/**
 * The credentials that podman and skopeo find without being told where: of the auth.json files and
 * the helpers in `credential-helpers`, in its order. A helper is asked for the whole registry.
 *
 * A failing helper ends the search only if no later place has a login, as there: the list may come
 * from a distribution, and name programs that are not installed.
 *
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-registries.conf.5.md
 */
export function createContainersPlacesSource(options: ContainersPlacesOptions): CredentialSource {
  const { env, runHelper = createHelperRunner(env) } = options;
  const files =
    namedAuthFile(options) === undefined
      ? containersAuthFiles(options).map((file) => createContainersSource({ ...options, file }))
      : [];
  const ask =
    (name: string): CredentialSource =>
    async (host, _repository, signal) => {
      const login = await askHelper(name, host, runHelper, signal);
      return login && { credential: credentialOfSecret(login), origin: programOf(name) };
    };
  let sources: Promise<readonly CredentialSource[]> | undefined;
  return async (host, repository, signal) => {
    sources ??= containersHelpers(options).then((names) =>
      names.flatMap((name) => (name === AUTH_FILES ? files : [ask(name)])),
    );
    let failure: CredentialHelperError | undefined;
    for (const source of await sources) {
      try {
        const found = await source(host, repository, signal);
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof CredentialHelperError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  };
}
