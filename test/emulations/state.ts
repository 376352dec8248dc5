import { createHash, randomUUID } from 'node:crypto';

/** A manifest with the type it was pushed as. */
export interface KeptManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface KeptRepository {
  readonly blobs: Map<string, Uint8Array>;
  readonly manifests: Map<string, KeptManifest>;
  /** In the order in which they were first pushed. */
  readonly tags: Map<string, string>;
}

export interface KeptUpload {
  readonly repository: string;
  readonly chunks: Uint8Array[];
  /** Ends of the chunks that came: all but the last count for servers with rules about chunks. */
  size: number;
}

/**
 * Where the registries differ and nothing but data says how. What else differs is a handler before
 * the core's.
 */
export interface CoreOptions {
  /** Such as `https://ghcr.io`; upload locations are made of it. */
  readonly origin: string;
  /** Blobs are not served but redirected here. */
  readonly storage?: { readonly origin: string; readonly status?: 302 | 307 } | undefined;
  /** Only these can be pushed to; all when absent. */
  readonly repositories?: readonly string[] | undefined;
  readonly tagOrder?: 'sorted' | 'oldest-first' | undefined;
  /** What is served when more is asked for. */
  readonly pageSize?: number | undefined;
  /** Text of the `Link` header; relative, as distribution's, when absent. */
  readonly link?:
    | ((next: {
        readonly url: URL;
        readonly last: string;
        readonly size: number;
        readonly position: number;
      }) => string)
    | undefined;
  /** False answers 202 to any mount. */
  readonly mounts?: boolean | undefined;
  readonly referrers?: boolean | undefined;
  /** Text of an error's body. */
  readonly refusal?: ((status: number, code: string, message: string) => Response) | undefined;
}

/** What a registry holds, and what all of its endpoints go by. */
export class RegistryState {
  readonly options: CoreOptions;
  readonly uploads = new Map<string, KeptUpload>();
  /** Proves that a storage URL was made here. A secret, as every signature. */
  readonly signature = `signature-${randomUUID()}`;
  readonly #repositories = new Map<string, KeptRepository>();

  constructor(options: CoreOptions) {
    this.options = options;
    for (const name of options.repositories ?? []) this.repository(name);
  }

  get names(): readonly string[] {
    return [...this.#repositories.keys()];
  }

  /** Makes it when it is not there. */
  repository(name: string): KeptRepository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const made: KeptRepository = { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, made);
    return made;
  }

  find(name: string): KeptRepository | undefined {
    return this.#repositories.get(name);
  }

  /** Blobs of any repository: storage does not know repositories. */
  blob(digest: string): Uint8Array | undefined {
    return [...this.#repositories.values()]
      .map(({ blobs }) => blobs.get(digest))
      .find((bytes) => bytes !== undefined);
  }

  refuse(status: number, code: string, message: string): Response {
    return this.options.refusal?.(status, code, message) ?? refusal(status, code, message);
  }
}

/** An error in the form of the distribution-spec. */
export function refusal(
  status: number,
  code: string,
  message: string,
  headers?: Readonly<Record<string, string>>,
): Response {
  return Response.json({ errors: [{ code, message }] }, { status, ...(headers && { headers }) });
}

export interface Route {
  readonly kind: 'catalog' | 'tags' | 'referrers' | 'manifests' | 'uploads' | 'blobs';
  readonly repository: string;
  /** Tag, digest or session; empty where there is none. */
  readonly reference: string;
}

/** What a path means; undefined for what distribution answers with a page of its own. */
export function parseRoute(path: string): Route | undefined {
  if (path === '/v2/_catalog') return { kind: 'catalog', repository: '', reference: '' };
  const [, repository = '', what, reference = ''] =
    /^\/v2\/([a-z0-9._/-]+?)\/(tags(?=\/list$)|referrers(?=\/)|manifests(?=\/)|blobs\/uploads(?=\/)|blobs(?=\/))\/(.*)$/.exec(
      path,
    ) ?? [];
  const decoded = decodeURIComponent(reference);
  switch (what) {
    case 'tags':
    case 'referrers':
    case 'manifests':
    case 'blobs':
      return { kind: what, repository, reference: decoded };
    case 'blobs/uploads':
      return { kind: 'uploads', repository, reference: decoded };
    default:
      return undefined;
  }
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
