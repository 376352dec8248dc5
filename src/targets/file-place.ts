import type { Location } from './location.ts';
import type { FileTransport } from '../trust/containers/image-names.ts';
import type { FilePlace } from '../trust/policy.ts';

/** Returns the file or folder of a location as a policy sees it; undefined for any other. */
export function filePlaceOf(location: Location): FilePlace | undefined {
  if (!('path' in location)) return undefined;
  const { kind, path } = location;
  return { transports: kind === 'archive' ? ARCHIVES : [kind], path };
}

/** Rules for both formats decide about an archive whose format the user did not name. */
const ARCHIVES: readonly FileTransport[] = ['oci-archive', 'docker-archive'];
