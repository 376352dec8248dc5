import type { Platform } from '../../oci/descriptor.ts';
import { formatPlatform } from '../../oci/platform.ts';

/** The platforms of an entry as a key: their order means nothing. */
export function platformsKey(platforms: readonly Platform[]): string {
  return platforms
    .map((platform) => formatPlatform(platform))
    .toSorted()
    .join(',');
}
