import type { CommandSpec } from '../command.ts';
import {
  attachSpec,
  deleteSpec,
  indexAddSpec,
  indexCreateSpec,
  indexRemoveSpec,
  tagsDeleteSpec,
} from './specs/manage.ts';
import { authGetSpec, authListSpec, loginSpec, logoutSpec } from './specs/credentials.ts';
import {
  blobGetSpec,
  blobPutSpec,
  configSpec,
  manifestGetSpec,
  manifestPutSpec,
} from './specs/low-level.ts';
import { completionSpec, doctorSpec, serveSpec } from './specs/other.ts';
import {
  catSpec,
  diffSpec,
  digestSpec,
  filesSpec,
  historySpec,
  inspectSpec,
  referrersSpec,
  reposListSpec,
  rootfsSpec,
  searchSpec,
  tagsListSpec,
} from './specs/inspect.ts';
import { copySpec, pullSpec, pushSpec, tagSpec } from './specs/move.ts';
import { exportSpec, importSpec, verifySpec } from './specs/air-gap.ts';
import { imagesSpec, pruneSpec, rmiSpec } from './specs/local-store.ts';

/** Every command, in the order in which help lists them: by group, the most used first. */
export const COMMANDS: readonly CommandSpec[] = [
  copySpec,
  pullSpec,
  pushSpec,
  tagSpec,
  inspectSpec,
  historySpec,
  digestSpec,
  tagsListSpec,
  reposListSpec,
  searchSpec,
  referrersSpec,
  filesSpec,
  catSpec,
  diffSpec,
  rootfsSpec,
  tagsDeleteSpec,
  deleteSpec,
  attachSpec,
  indexCreateSpec,
  indexAddSpec,
  indexRemoveSpec,
  exportSpec,
  importSpec,
  verifySpec,
  imagesSpec,
  rmiSpec,
  pruneSpec,
  manifestGetSpec,
  manifestPutSpec,
  configSpec,
  blobGetSpec,
  blobPutSpec,
  loginSpec,
  logoutSpec,
  authListSpec,
  authGetSpec,
  doctorSpec,
  serveSpec,
  completionSpec,
];
