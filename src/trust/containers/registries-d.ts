import * as z from 'zod/mini';

import { parseStrictYaml } from '../../configuration/strict-yaml.ts';
import { InvalidConfigError } from '../../errors.ts';
import type { Reference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { policyNames } from './image-names.ts';

/** A file of registries.d, and its name in messages. */
export interface RegistriesDFile {
  readonly shown: string;
  readonly text: string;
}

/** Where the signatures of an image are. */
export interface SignaturePlaces {
  /** A `file:`, `http:` or `https:` URL; undefined where no file names one. */
  readonly lookaside: string | undefined;
  /** True if sigstore signatures stand beside the image. */
  readonly attachments: boolean;
}

const Namespace = z.nullable(
  z.object({
    lookaside: z.optional(z.nullable(z.string())),
    /** The name before lookasides had one. */
    sigstore: z.optional(z.nullable(z.string())),
    'use-sigstore-attachments': z.optional(z.nullable(z.boolean())),
  }),
);
/** Names that podman and skopeo do not know are left out, as there. */
const File = z.nullable(
  z.object({
    'default-docker': z.optional(Namespace),
    docker: z.optional(z.nullable(z.record(z.string(), Namespace))),
  }),
);

type Settings = NonNullable<z.infer<typeof Namespace>>;

/**
 * Merges the files of registries.d.
 *
 * @returns finds the places for an image. Each setting is that of the closest name that has it.
 * @throws {RegiError} INVALID_CONFIG for a file that is no YAML of that form, and for a name that
 *   two files have.
 * @see https://github.com/containers/image/blob/v5.36.2/docs/containers-registries.d.5.md
 */
export async function parseRegistriesD(
  files: readonly RegistriesDFile[],
): Promise<(image: Reference) => SignaturePlaces> {
  const byName = new Map<string, { readonly shown: string; readonly settings: Settings }>();
  const add = (name: string, shown: string, settings: Settings): void => {
    const other = byName.get(name);
    if (other !== undefined)
      throw new InvalidConfigError(
        `Cannot use ${quote(shown)}: ${quote(name === '' ? 'default-docker' : name)} is in ${quote(other.shown)} too`,
        { hint: 'keep one of them' },
      );
    byName.set(name, { shown, settings });
  };
  for (const { shown, text } of files) {
    const { value } = await parseStrictYaml(text, {
      name: shown,
      schema: File,
      hint: 'see containers-registries.d(5)',
    });
    const fallback = value?.['default-docker'];
    if (fallback !== undefined && fallback !== null) add('', shown, fallback);
    for (const [name, settings] of Object.entries(value?.docker ?? {}))
      add(name, shown, settings ?? {});
  }
  return (reference) => {
    const names = [...policyNames({ transport: 'docker', reference }), ''];
    const settings = names.flatMap((name) => byName.get(name)?.settings ?? []);
    const places = settings.flatMap(({ lookaside, sigstore }) => lookaside || sigstore || []);
    const uses = settings.flatMap((one) => one['use-sigstore-attachments'] ?? []);
    return { lookaside: places[0], attachments: uses[0] ?? false };
  };
}
