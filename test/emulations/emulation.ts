import type { RequestHandler } from 'msw';

import type { Login } from './bearer.ts';
import type { RegistryCore } from './core.ts';

/** One vendor's registry, as msw handlers for all the names it answers under. */
export interface Emulation {
  /** As people call it. */
  readonly title: string;
  /** As written in references: `docker.io`, `registry.local:5000`. */
  readonly registry: string;
  readonly scheme?: 'http' | undefined;
  /** Every name that something answers under, without ports. */
  readonly hosts: readonly string[];
  readonly handlers: readonly RequestHandler[];
  readonly core: RegistryCore;
  /** The first is the one that tests use where nothing else is said. */
  readonly logins: readonly [Login, ...Login[]];
  /** Two repositories that may be pushed to. */
  readonly repositories: readonly [string, string];
  /** Everything that must not be shown besides the passwords. */
  readonly secrets?: (() => readonly string[]) | undefined;
}
