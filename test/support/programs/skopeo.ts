import { join } from 'node:path';

import { requireTool } from './real-tools.ts';
import { type Finished, runOrThrow, runProgram } from './run-program.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export interface SkopeoOptions {
  /** `user:password`. */
  readonly creds?: string | undefined;
  /**
   * A folder with `ca.crt`: TLS is verified with it. Without it TLS is not verified, and plain http
   * is allowed.
   */
  readonly caFolder?: string | undefined;
}

export interface SkopeoCopyOptions {
  readonly from?: SkopeoOptions | undefined;
  readonly to?: SkopeoOptions | undefined;
  /** Copies an index with all its images; otherwise the image of linux/amd64. */
  readonly all?: boolean | undefined;
  readonly format?: 'oci' | 'v2s1' | 'v2s2' | undefined;
}

/** The fields of `skopeo inspect` that tests read. */
export interface SkopeoImage {
  readonly Name: string;
  readonly Digest: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
  readonly Architecture: string;
  readonly Os: string;
}

/**
 * A second opinion. Places have the syntax of skopeo: `docker://127.0.0.1:5000/app:1`,
 * `oci:/folder:tag`, `dir:/folder`.
 *
 * Each method throws with the standard error of skopeo when it fails; `run` returns the exit status
 * instead.
 */
export const skopeo = {
  async copy(
    source: string,
    destination: string,
    { from, to, all = false, format }: SkopeoCopyOptions = {},
  ): Promise<void> {
    const flags = [
      ...(all ? ['--all'] : []),
      ...(format === undefined ? [] : ['--format', format]),
    ];
    await printed([
      'copy',
      '--quiet',
      ...flags,
      ...access('src-', source, from),
      ...access('dest-', destination, to),
      source,
      destination,
    ]);
  },

  async inspect(place: string, options?: SkopeoOptions): Promise<SkopeoImage> {
    return JSON.parse(
      await printed(['inspect', ...access('', place, options), place]),
    ) as SkopeoImage;
  },

  /** The manifest's own bytes, as text. */
  rawManifest(place: string, options?: SkopeoOptions): Promise<string> {
    return printed(['inspect', '--raw', ...access('', place, options), place]);
  },

  /** The digest of the tag itself: of an index, not of its image for this machine. */
  async digest(place: string, options?: SkopeoOptions): Promise<string> {
    return (
      await printed(['inspect', '--format', '{{.Digest}}', ...access('', place, options), place])
    ).trim();
  },

  /** The tags of a repository, sorted. */
  async listTags(place: string, options?: SkopeoOptions): Promise<readonly string[]> {
    const { Tags } = JSON.parse(
      await printed(['list-tags', ...access('', place, options), place]),
    ) as { readonly Tags: readonly string[] };
    return Tags.toSorted();
  },

  run(args: readonly string[]): Promise<Finished> {
    return runProgram(requireTool('skopeo'), [...GLOBAL_FLAGS, ...args], { env: emptyHome() });
  },
};

/** Accepts unsigned images on a machine without /etc/containers/policy.json. */
const GLOBAL_FLAGS = ['--insecure-policy', '--override-os', 'linux', '--override-arch', 'amd64'];

function printed(args: readonly string[]): Promise<string> {
  return runOrThrow(requireTool('skopeo'), [...GLOBAL_FLAGS, ...args], { env: emptyHome() });
}

/** The logins and the configuration of this machine's user must not decide a test. */
function emptyHome(): Readonly<Record<string, string>> {
  const home = temporaryFolder('skopeo');
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: home,
    XDG_RUNTIME_DIR: home,
    REGISTRY_AUTH_FILE: join(home, 'auth.json'),
    TMPDIR: home,
  };
}

function access(
  prefix: 'src-' | 'dest-' | '',
  place: string,
  options: SkopeoOptions = {},
): readonly string[] {
  if (!place.startsWith('docker://')) return [];
  const tls =
    options.caFolder === undefined
      ? [`--${prefix}tls-verify=false`]
      : [`--${prefix}cert-dir=${options.caFolder}`];
  return options.creds === undefined ? tls : [...tls, `--${prefix}creds=${options.creds}`];
}
