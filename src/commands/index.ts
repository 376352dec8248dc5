import type { CommandSpec } from '../command.ts';
import { AIR_GAP_COMMANDS } from './specs/air-gap.ts';
import { CREDENTIALS_COMMANDS } from './specs/credentials.ts';
import { INSPECT_COMMANDS } from './specs/inspect.ts';
import { LOCAL_STORE_COMMANDS } from './specs/local-store.ts';
import { LOW_LEVEL_COMMANDS } from './specs/low-level.ts';
import { MANAGE_COMMANDS } from './specs/manage.ts';
import { MOVE_COMMANDS } from './specs/move.ts';
import { OTHER_COMMANDS } from './specs/other.ts';
import { REFS_COMMANDS } from './specs/refs.ts';

/** Every command in the order of help: by group, the most used first. */
export const COMMANDS: readonly CommandSpec[] = [
  ...MOVE_COMMANDS,
  ...INSPECT_COMMANDS,
  ...MANAGE_COMMANDS,
  ...AIR_GAP_COMMANDS,
  ...REFS_COMMANDS,
  ...LOCAL_STORE_COMMANDS,
  ...LOW_LEVEL_COMMANDS,
  ...CREDENTIALS_COMMANDS,
  ...OTHER_COMMANDS,
];
