import { realpathSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { readConfigBytes, readConfigFile, showPath } from '../../disk/config-file.ts';
import { errnoOf } from '../../disk/errno.ts';
import { InvalidConfigError, RegiError, UsageError } from '../../errors.ts';
import { pullReference, type Reference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { ContainersRule } from '../../trust/containers/requirement.ts';
import type { PolicyImage } from '../../trust/containers/image-names.ts';
import { parseLookaside } from '../../trust/containers/lookaside.ts';
import { parsePolicyJson } from '../../trust/containers/policy-json.ts';
import {
  parseRegistriesD,
  type RegistriesDFile,
  type SignaturePlaces,
} from '../../trust/containers/registries-d.ts';
import type { FilePlace, TrustPolicy } from '../../trust/policy.ts';
import { value } from '../arguments/arguments.ts';

const SYSTEM_FOLDER = '/etc/containers';
/** Where podman and skopeo look for GPG signatures unless registries.d names a place. */
const ROOTS_LOOKASIDE = '/var/lib/containers/sigstore';

/**
 * Reads the policy.json and registries.d of podman and skopeo: those of the user, else those of the
 * system. `--policy-file` names another policy.json.
 *
 * @throws {RegiError} INVALID_CONFIG for a mistake in a file, and where there is no policy.json.
 */
export async function readContainersPolicy(
  args: ParsedArguments,
  context: Context,
): Promise<TrustPolicy> {
  const { io } = context;
  const { name, text } = await readPolicyJson(value(args, 'policy-file'), context);
  const { requirementsFor } = await parsePolicyJson(text, {
    name,
    readKey: async (path) => readKey(resolve(io.cwd, path), path),
  });
  const placesOf = await parseRegistriesD(await registriesD(context));
  const verifyGpg: ContainersRule['verifyGpg'] = async (signature, keyrings, options) => {
    const { verifyWithGpgv } = await import('../../trust/containers/gpgv.ts');
    return verifyWithGpgv(signature, keyrings, io.env, options);
  };
  return {
    ruleFor: (repository, file) => {
      if (file === undefined && repository.domain === '') return undefined;
      const reference = pullReference(repository);
      const found = imagesOf(reference, file, io.cwd).map(requirementsFor);
      const image = file === undefined ? reference : undefined;
      const { lookaside, attachments } = image === undefined ? IN_A_FILE : placesOf(image);
      const base = lookaside ?? defaultLookaside(context);
      return {
        rule: {
          kind: 'containers',
          requirements: found.flatMap(({ requirements }) => requirements),
          image,
          readsAttachments: attachments,
          lookaside: image && { base: parseLookaside(base), path: image.path },
          verifyGpg,
        },
        scope: [...new Set(found.map(({ scope }) => scope))].join(', '),
      };
    },
  };
}

/**
 * Files have no lookaside. podman and skopeo read no signatures of files at all; regi reads those
 * that stand beside the image.
 */
const IN_A_FILE: SignaturePlaces = { lookaside: undefined, attachments: true };

function imagesOf(
  reference: Reference,
  file: FilePlace | undefined,
  cwd: string,
): readonly PolicyImage[] {
  if (file === undefined) return [{ transport: 'docker', reference }];
  const path = file.path === '-' ? '' : realPath(resolve(cwd, file.path));
  return file.transports.map((transport) => ({ transport, path }));
}

/** A path that is not there is reported by its reader. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return path;
  }
}

function defaultLookaside({ io }: Context): string {
  const own = join(io.home, '.local/share/containers/sigstore');
  return pathToFileURL(io.linuxUid === 0 ? ROOTS_LOOKASIDE : own).href;
}

async function readPolicyJson(
  named: string | undefined,
  { io }: Context,
): Promise<{ readonly name: string; readonly text: string }> {
  const paths =
    named === undefined
      ? [join(io.home, '.config/containers/policy.json'), join(SYSTEM_FOLDER, 'policy.json')]
      : [resolve(io.cwd, named)];
  for (const path of paths) {
    const name = named ?? showPath(path, io.home);
    const text = await readConfigFile(path, name);
    if (text !== undefined) return { name, text };
  }
  if (named === undefined)
    throw new UsageError(
      'Cannot use --policy containers: there is no ~/.config/containers/policy.json and no /etc/containers/policy.json',
      { hint: 'name one with --policy-file FILE' },
    );
  throw new RegiError('INVALID_CONFIG', `Cannot find ${quote(named)}: there is no such file`, {
    hint: 'check the path after --policy-file',
  });
}

async function readKey(path: string, shown: string): Promise<Uint8Array> {
  const bytes = await readConfigBytes(path, shown);
  if (bytes !== undefined) return bytes;
  throw new InvalidConfigError(`Cannot find the key ${quote(shown)}: there is no such file`, {
    hint: 'correct its path in policy.json',
  });
}

/** The files of the user's folder, where there is one; else those of the system's. */
async function registriesD({ io }: Context): Promise<readonly RegistriesDFile[]> {
  for (const folder of [join(io.home, '.config/containers'), SYSTEM_FOLDER]) {
    const path = join(folder, 'registries.d');
    const names = await yamlFiles(path, io.home);
    if (names === undefined) continue;
    const files: RegistriesDFile[] = [];
    for (const name of names) {
      const shown = showPath(join(path, name), io.home);
      const text = await readConfigFile(join(path, name), shown);
      if (text !== undefined) files.push({ shown, text });
    }
    return files;
  }
  return [];
}

/** Returns undefined where the folder is missing. */
async function yamlFiles(path: string, home: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(path)).filter((name) => name.endsWith('.yaml')).toSorted();
  } catch (cause) {
    // ENOTDIR: a user without a home has a path below a device.
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(cause) ?? '')) return undefined;
    const shown = showPath(path, home);
    throw new InvalidConfigError(`Cannot read ${quote(shown)}: ${errnoOf(cause) ?? 'no folder'}`, {
      hint: `make it readable: chmod u+r ${shown}`,
      cause,
    });
  }
}
