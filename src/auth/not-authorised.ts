import { RegiError } from '../errors.ts';
import type { HttpResponse } from '../http/message.ts';

/** Credentials that did not help: their source, never their content. */
export interface TriedCredentials {
  /** Such as `~/.docker/config.json`. */
  readonly origin: string;
  /** True if the credentials themselves were refused, not only the request. */
  readonly refused: boolean;
}

/** A response that may still be a 401 or 403. */
export interface AuthorizedResponse extends HttpResponse {
  /** The stored credentials; only on a 401 or 403, for its `NotAuthorisedError`. */
  readonly tried?: TriedCredentials | undefined;
}

export interface Refusal {
  /** The registry as written in references. */
  readonly host: string;
  readonly repository?: string | undefined;
  /** 401 or 403. */
  readonly status: number;
  /**
   * What failed: `Cannot resolve "registry.example/app:1"`; made from host and repository when
   * absent.
   */
  readonly action?: string | undefined;
  /** The registry's explanation, printable. */
  readonly detail?: string | undefined;
  readonly tried?: TriedCredentials | undefined;
  readonly cause?: unknown;
}

/**
 * A 401 or 403 of a registry or its token service. Registries also send those for what does not
 * exist.
 */
export class NotAuthorisedError extends RegiError {
  readonly status: number;
  readonly tried: TriedCredentials | undefined;

  constructor({ host, repository, status, action, detail, tried, cause }: Refusal) {
    const what = repository === undefined ? host : `${host}/${repository}`;
    const because = detail === undefined ? `status ${status}` : `status ${status}, ${detail}`;
    // A quota, a policy or a missing signature: no login mends that.
    const isReasoned = status === 403 && detail !== undefined;
    const reason = isReasoned
      ? `"${host}" refused it: ${detail}${describeTried(tried)} (status 403)`
      : `it does not exist, or needs a login${describeTried(tried)} (${because})`;
    super('NOT_AUTHORISED', `${action ?? `Cannot access "${what}"`}: ${reason}`, {
      hint: isReasoned && tried?.refused === false ? undefined : loginHint(host, tried),
      ...(cause !== undefined && { cause }),
    });
    this.status = status;
    this.tried = tried;
  }
}

/** A login does not replace credentials that were given to this one command. */
function loginHint(host: string, tried: TriedCredentials | undefined): string {
  return tried?.refused === true
    ? `check user and password in ${tried.origin}, or type: regi login ${host}`
    : `regi login ${host}`;
}

function describeTried(tried: TriedCredentials | undefined): string {
  if (tried === undefined) return '';
  return tried.refused
    ? `; the credentials from ${tried.origin} were refused`
    : `; the credentials from ${tried.origin} are not enough`;
}
