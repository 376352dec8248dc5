import type { CommandSpec } from '../command.ts';
import { copySpec } from './specs/copy.ts';
import { digestSpec } from './specs/digest.ts';
import { manifestGetSpec } from './specs/manifest-get.ts';
import { tagSpec } from './specs/tag.ts';
import { tagsListSpec } from './specs/tags-list.ts';

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly CommandSpec[] = [copySpec, tagSpec, tagsListSpec, digestSpec, manifestGetSpec];
