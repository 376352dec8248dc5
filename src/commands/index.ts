import type { CommandSpec } from '../command.ts';
import { attachSpec } from './specs/attach.ts';
import { authGetSpec } from './specs/auth-get.ts';
import { authListSpec } from './specs/auth-list.ts';
import { blobGetSpec } from './specs/blob-get.ts';
import { completionSpec } from './specs/completion.ts';
import { blobPutSpec } from './specs/blob-put.ts';
import { catSpec } from './specs/cat.ts';
import { configSpec } from './specs/config.ts';
import { copySpec } from './specs/copy.ts';
import { deleteSpec } from './specs/delete.ts';
import { diffSpec } from './specs/diff.ts';
import { digestSpec } from './specs/digest.ts';
import { exportSpec } from './specs/export.ts';
import { doctorSpec } from './specs/doctor.ts';
import { filesSpec } from './specs/files.ts';
import { historySpec } from './specs/history.ts';
import { imagesSpec } from './specs/images.ts';
import { indexAddSpec } from './specs/index-add.ts';
import { indexCreateSpec } from './specs/index-create.ts';
import { indexRemoveSpec } from './specs/index-remove.ts';
import { importSpec } from './specs/import.ts';
import { inspectSpec } from './specs/inspect.ts';
import { loginSpec } from './specs/login.ts';
import { logoutSpec } from './specs/logout.ts';
import { manifestGetSpec } from './specs/manifest-get.ts';
import { manifestPutSpec } from './specs/manifest-put.ts';
import { pruneSpec } from './specs/prune.ts';
import { pullSpec } from './specs/pull.ts';
import { pushSpec } from './specs/push.ts';
import { referrersSpec } from './specs/referrers.ts';
import { reposListSpec } from './specs/repos-list.ts';
import { rmiSpec } from './specs/rmi.ts';
import { rootfsSpec } from './specs/rootfs.ts';
import { searchSpec } from './specs/search.ts';
import { serveSpec } from './specs/serve.ts';
import { tagSpec } from './specs/tag.ts';
import { tagsDeleteSpec } from './specs/tags-delete.ts';
import { tagsListSpec } from './specs/tags-list.ts';
import { verifySpec } from './specs/verify.ts';

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
