import { RegiError } from '../errors.ts';
import type { HttpResponse } from '../http/message.ts';

/** Credentials that did not help: where they were found, never what they are. */
export interface TriedCredentials {
  /** Such as `~/.docker/config.json`. */
  readonly origin: string;
  /** Whether they themselves were refused, and not only what was asked with them. */
  readonly refused: boolean;
}

/** An answer that may be a 401 or 403 although everything was tried. */
export interface AuthorizedResponse extends HttpResponse {
  /** What was stored for the registry; only on a 401 or 403, for its `NotAuthorisedError`. */
  readonly tried?: TriedCredentials | undefined;
  /** What the registry was told and must not be shown, should it say it back. */
  readonly secrets?: readonly string[] | undefined;
}

export interface Refusal {
  /** The registry as written in references. */
  readonly host: string;
  readonly repository?: string | undefined;
  /** 401 or 403. */
  readonly status: number;
  /** What could not be done: `Cannot resolve "registry.example/app:1"`; made of host and repository when absent. */
  readonly action?: string | undefined;
  /** What the registry says of it, fit to be shown. */
  readonly detail?: string | undefined;
  readonly tried?: TriedCredentials | undefined;
  readonly cause?: unknown;
}

/** A registry or its token service said 401 or 403. Registries say so for what does not exist as well, and do not tell which. */
export class NotAuthorisedError extends RegiError {
  readonly host: string;
  readonly repository: string | undefined;
  readonly status: number;
  readonly tried: TriedCredentials | undefined;

  constructor({ host, repository, status, action, detail, tried, cause }: Refusal) {
    const what = repository === undefined ? host : `${host}/${repository}`;
    const answer = detail === undefined ? `status ${status}` : `status ${status}, ${detail}`;
    super(
      'NOT_AUTHORISED',
      `${action ?? `Cannot access "${what}"`}: it does not exist, or needs a login${describeTried(tried)} (${answer})`,
      {
        // A login does not help against what was given to this one command.
        hint:
          tried?.refused === true
            ? `check user and password in ${tried.origin}, or type: regi login ${host}`
            : `regi login ${host}`,
        ...(cause !== undefined && { cause }),
      },
    );
    this.host = host;
    this.repository = repository;
    this.status = status;
    this.tried = tried;
  }
}

function describeTried(tried: TriedCredentials | undefined): string {
  if (tried === undefined) return '';
  return tried.refused
    ? `; the credentials from ${tried.origin} were refused`
    : `; the credentials from ${tried.origin} are not enough`;
}
