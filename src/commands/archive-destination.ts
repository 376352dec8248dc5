import type { ParsedArguments } from '../command.ts';
import { parseLocation, type ArchiveLocation } from '../locations/location.ts';

/** The archive that a copy goes to; undefined when it goes elsewhere. */
export function archiveDestination(args: ParsedArguments): ArchiveLocation | undefined {
  const text = args.positionals[1];
  if (text === undefined || !/^(?:\w+-)?archive:/.test(text)) return undefined;
  const location = parseLocation(text);
  return location.kind === 'archive' || location.kind === 'docker-archive' || location.kind === 'oci-archive' ? location : undefined;
}
