import { COMMIT, VERSION } from '../version.ts';

/** The part of Node's `process` that describes the build and the machine. */
export interface VersionHost {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly arch: string;
}

export interface VersionFeatures {
  /** True if the addon for the keychain is installed. */
  readonly hasKeychain: boolean;
  /** True if regi and Node are one file. */
  readonly isExecutable: boolean;
}

/** Returns the output of `regi --version --verbose`, for reports of faults. */
export function versionDetails(
  { versions, platform, arch }: VersionHost,
  { hasKeychain, isExecutable }: VersionFeatures,
): string {
  const rows: readonly (readonly [name: string, value: string])[] = [
    ['regi', VERSION],
    ['commit', COMMIT || 'unknown'],
    ['node', versions['node'] ?? 'unknown'],
    ['platform', `${platform}-${arch}`],
    ['keychain', hasKeychain ? 'yes' : 'no'],
    // Without it, zstd is read by JavaScript, which is slower.
    ['zstd', versions['zstd'] === undefined ? 'no' : 'yes'],
    ['sea', isExecutable ? 'yes' : 'no'],
  ];
  return rows.map(([name, value]) => `${name.padEnd(9)} ${value}\n`).join('');
}
