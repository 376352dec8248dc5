import type { Platform } from '../oci/descriptor.ts';

/** What Node says of the machine it runs on. */
export interface MachineFacts {
  /** `process.platform`. */
  readonly platform: string;
  /** `process.arch`. */
  readonly arch: string;
  /** `os.endianness()`. */
  readonly endianness: 'BE' | 'LE';
  /** `process.config.variables.arm_version`, such as `7`. */
  readonly armVersion?: string | undefined;
}

/** Names of Go, which image platforms use, where Node has others. */
const OS: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' };
const ARCHITECTURE: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', mipsel: 'mipsle' };

/** The platform of this machine in the words of image indexes. */
export function hostPlatform({ platform, arch, endianness, armVersion }: MachineFacts): Platform {
  const os = OS[platform] ?? platform;
  if (arch === 'arm') return { os, architecture: 'arm', variant: `v${armVersion ?? '7'}` };
  if (arch === 'ppc64') return { os, architecture: endianness === 'LE' ? 'ppc64le' : 'ppc64' };
  return { os, architecture: ARCHITECTURE[arch] ?? arch };
}
