import type { AuthorizedRequest } from '../auth/authorizer.ts';
import type { Layer } from '../http/message.ts';
import { HeaderReader } from '../http/header-reader.ts';
import { LIMITS } from '../limits.ts';
import { withoutSecrets } from '../redact.ts';
import { createQuotaReader } from './pull-quota.ts';

export interface NoticeOptions {
  readonly host: string;
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

/**
 * Reads the warnings and pull limits of the registry itself, without those of its storage.
 *
 * @param isOwn true for a URL of the registry.
 */
export function noticeLayer(
  { host, onWarning, onNotice }: NoticeOptions,
  isOwn: (url: URL) => boolean,
): Layer {
  const readWarnings = createWarningReader((text) => onWarning?.(`"${host}" says: ${text}`));
  const readQuota = createQuotaReader(host, (message, hint) => onNotice?.(message, hint));
  return (next) => async (request: AuthorizedRequest) => {
    const response = await next(request);
    if (!isOwn(response.url)) return response;
    const secrets = [...(request.access?.secrets ?? [])];
    readWarnings(withoutSecrets(response.headers.get('warning') ?? '', secrets));
    // The message of a refusal names the limit itself.
    if (response.status < 400) readQuota(response.headers);
    return response;
  };
}

/**
 * Reads the texts of a registry's `Warning` header: `299 - "text"`, several joined with commas.
 * Other codes and agents are not meant for people and are skipped, as is everything after a
 * malformed part.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#warnings
 */
export function parseWarnings(header: string): readonly string[] {
  const texts: string[] = [];
  const reader = new HeaderReader(header);
  for (;;) {
    const isForPeople = reader.read(/[ \t,]*(?:299[ \t]+-[ \t]+)?/y).includes('299');
    if (!isForPeople) reader.read(/[^"]*/y);
    const text = reader.readQuoted();
    if (text === undefined) return texts;
    if (isForPeople) texts.push(text);
    // A quoted date may follow.
    reader.read(/[ \t]*/y);
    reader.readQuoted();
  }
}

/**
 * Makes a reader of one registry's warnings. It reports each text once, and at most a screenful of
 * them, however many responses repeat them.
 */
export function createWarningReader(
  report: (text: string) => void,
): (header: string | undefined) => void {
  const seen = new Set<string>();
  let bytes = 0;
  return (header) => {
    for (const text of parseWarnings(header ?? '')) {
      if (seen.has(text)) continue;
      bytes += Buffer.byteLength(text);
      if (bytes > LIMITS.warningBytes) return;
      seen.add(text);
      report(text);
    }
  };
}
