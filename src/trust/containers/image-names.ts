import { imageName, repositoryName, type Reference } from '../../oci/reference.ts';

/** An image as the files of podman and skopeo name it. */
export type PolicyImage =
  /** An image of a registry, by its tag or by its digest, never by both. */
  | { readonly transport: 'docker'; readonly reference: Reference }
  /** A file or folder: an absolute path without links. */
  | { readonly transport: FileTransport; readonly path: string };

export type FileTransport = 'dir' | 'docker-archive' | 'oci' | 'oci-archive';

/**
 * Lists the names under which policy.json and registries.d look an image up, the closest first. The
 * empty name, for all images of a transport, is not among them.
 *
 * @see https://github.com/containers/image/blob/v5.36.2/docker/policyconfiguration/naming.go
 */
export function policyNames(image: PolicyImage): readonly string[] {
  if (image.transport === 'docker') return dockerNames(image.reference);
  // Archives of docker have no scopes.
  return image.transport === 'docker-archive' ? [] : parentsOf(image.path);
}

function dockerNames(reference: Reference): readonly string[] {
  const { domain, tag, digest } = reference;
  const suffix = digest === undefined ? { tag } : { digest };
  const name = repositoryName(reference);
  // A port is no part of what a star covers.
  const labels = domain.replace(/:.*$/, '').split('.');
  return [
    imageName(name, suffix),
    ...parentsOf(name),
    ...labels.slice(1).map((_, at) => `*.${labels.slice(at + 1).join('.')}`),
  ];
}

/** Lists a name and every beginning of it that ends before a "/". */
function parentsOf(name: string): readonly string[] {
  const words = name.split('/');
  return words
    .map((_, at) => words.slice(0, words.length - at).join('/'))
    .filter((parent) => parent !== '');
}
