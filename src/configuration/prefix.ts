import { formatReference, parseReference, type Reference } from '../oci/reference.ts';

/**
 * How many characters of `reference` a prefix of registries.conf covers; undefined when it does not fit. A prefix ends where a name ends; `*.`
 * stands for any subdomains. That `example.com` covers `example.com:5000` is how podman and skopeo read it.
 *
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-registries.conf.5.md#choosing-a-registry-toml-table
 */
export function matchPrefix(reference: string, prefix: string): number | undefined {
  const end = prefix.startsWith('*.') ? endOfDomain(reference, prefix.slice(1)) : reference.startsWith(prefix) ? prefix.length : undefined;
  return end !== undefined && (end === reference.length || ':/@'.includes(reference.charAt(end))) ? end : undefined;
}

function endOfDomain(reference: string, domain: string): number | undefined {
  const start = reference.indexOf(domain);
  return start < 0 || reference.slice(0, start).includes('/') ? undefined : start + domain.length;
}

/**
 * The reference with `location` in the place of what `prefix` covers; an empty location leaves it as it is, which only a prefix with `*.` may have.
 *
 * @returns undefined when the prefix does not fit, or the result is no reference in full.
 */
export function rewrite(reference: Reference, prefix: string, location: string): Reference | undefined {
  const text = formatReference(reference);
  const covered = matchPrefix(text, prefix);
  if (covered === undefined) return undefined;
  if (location === '') return prefix.startsWith('*.') ? reference : undefined;
  const rewritten = `${location}${text.slice(covered)}`;
  try {
    const parsed = parseReference(rewritten);
    return formatReference(parsed) === rewritten ? parsed : undefined;
  } catch {
    return undefined;
  }
}
