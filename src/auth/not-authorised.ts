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
  /** The logins that the registry offers, where regi supports none of them. */
  readonly unusable?: string | undefined;
  readonly cause?: unknown;
}

/**
 * A 401 or 403 of a registry or its token service. Registries also send those for what does not
 * exist.
 */
export class NotAuthorisedError extends RegiError {
  readonly status: number;
  readonly tried: TriedCredentials | undefined;

  constructor(refusal: Refusal) {
    const { host, repository, action, cause } = refusal;
    const { reason, hint } = explain(refusal);
    const what = repository === undefined ? host : `${host}/${repository}`;
    super('NOT_AUTHORISED', `${action ?? `Cannot access "${what}"`}: ${reason}`, {
      hint,
      ...(cause !== undefined && { cause }),
    });
    this.status = refusal.status;
    this.tried = refusal.tried;
  }
}

function explain({ host, status, detail, tried, unusable }: Refusal): {
  readonly reason: string;
  readonly hint: string | undefined;
} {
  const because = detail === undefined ? `status ${status}` : `status ${status}, ${detail}`;
  if (unusable !== undefined)
    return {
      reason: `"${host}" wants a login by ${unusable}; regi supports Basic, and Bearer with a realm over http or https (${because})`,
      hint: 'contact the operator of the registry: behind a proxy, it has to know its external name',
    };
  // A quota, a policy or a missing signature: no login mends that.
  if (status === 403 && detail !== undefined)
    return {
      reason: `"${host}" refused it: ${detail}${describeTried(tried)} (status 403)`,
      hint: tried?.refused === false ? undefined : loginHint(host, tried),
    };
  return {
    reason: `it does not exist, or needs a login${describeTried(tried)} (${because})`,
    hint: loginHint(host, tried),
  };
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
