import { normalize, resolve } from 'node:path';

import { RegiError } from '../../errors.ts';
import { repositoryName, type Repository } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import { explicitReference, fillTemplate, type NameParts } from '../file/names.ts';
import { parseDestinationPlace, type PlaceTarget } from '../file/places.ts';

/** Where the images of one source repository go. */
export interface Destination {
  /** Paths are absolute. */
  readonly destination: PlaceTarget['location'];
  /** The repository in a layout whose images have full names. */
  readonly within?: Repository | undefined;
  /** `registry.example/mirror/debian`, or the location of another place as written. */
  readonly name: string;
  /** The tag or name at the destination, with `{tag}`. */
  readonly tag: string;
}

/** Fills the template of a repository. @throws {RegiError} where the result is none. */
export function registryDestination(
  text: string,
  parts: NameParts,
  source: Repository,
): Destination {
  const { template, tag } = splitTemplate(text);
  const name = fillTemplate(template, parts);
  const reference = explicitReference(name);
  if (reference === undefined || reference.tag !== undefined)
    throw new RegiError(
      'INVALID_REFERENCE',
      `Cannot use ${quote(name)} as the destination of ${quote(repositoryName(source))}: expected a repository with its registry`,
      { hint: 'check "to" and "rename" of the entry' },
    );
  const { domain, path } = reference;
  return {
    destination: { kind: 'registry', reference: { domain, path } },
    name: repositoryName(reference),
    tag,
  };
}

/**
 * Images keep their full names in archives, layouts and the local store, unless the entry gives
 * others.
 */
export function placeDestination(
  text: string,
  parts: NameParts,
  recorded: Repository,
  folder: string,
): Destination {
  const target = parseDestinationPlace(fillTemplate(text, { ...parts, tag: '{tag}' }));
  if (target === 'local')
    return {
      destination: { kind: 'local', reference: recorded },
      name: `local:${repositoryName(recorded)}`,
      tag: '{tag}',
    };
  const { location, name } = target;
  if (!('path' in location)) {
    const repository = repositoryName(location.reference);
    return { destination: location, name: `local:${repository}`, tag: name ?? '{tag}' };
  }
  const destination = { ...location, path: resolve(folder, location.path) };
  const place = `${location.kind}:${normalize(location.path)}`;
  const full = repositoryName(recorded);
  if (location.kind === 'oci' && name === undefined)
    return { destination, within: recorded, name: `${place}:${full}`, tag: '{tag}' };
  return { destination, name: place, tag: name ?? `${full}:{tag}` };
}

/** Splits `R:up-{tag}` into repository and tag; the tag of the source where there is none. */
function splitTemplate(text: string): { readonly template: string; readonly tag: string } {
  const { template = text, tag = '{tag}' } =
    /^(?<template>.+):(?<tag>[^:/]+)$/.exec(text)?.groups ?? {};
  return { template, tag };
}
