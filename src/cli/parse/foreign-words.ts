const NO_ENGINE =
  'regi moves images and cannot run them; for docker, type: regi pull REF -o FILE, then docker load -i FILE';
const NO_EDITS =
  'regi does not build or change images; to push a finished build, type: regi push oci:DIR REF';
const LOCAL_INSPECT =
  'type: regi inspect local:REF for the local store, or regi inspect REF for its registry';

/** Hints for commands of other tools. */
const HINTS: Readonly<Record<string, string>> = {
  run: NO_ENGINE,
  exec: NO_ENGINE,
  create: NO_ENGINE,
  start: NO_ENGINE,
  stop: NO_ENGINE,
  ps: NO_ENGINE,
  container: NO_ENGINE,
  compose: NO_ENGINE,
  build: NO_EDITS,
  buildx: NO_EDITS,
  commit: NO_EDITS,
  append: NO_EDITS,
  mutate: NO_EDITS,
  flatten: NO_EDITS,
  rebase: NO_EDITS,
  info: 'type: regi doctor REGISTRY',
  system: 'type: regi prune, or regi images',
  list: 'type: regi tags list REPO, regi repos list REGISTRY, or regi images for the local store',
  'list-tags': 'type: regi tags list REPO',
  validate: 'type: regi verify LOC',
  sync: 'type: regi copy --all-tags SRC DST, or regi copy --from FILE PREFIX for many repositories',
  mirror:
    'type: regi copy --all-tags SRC DST, or regi copy --from FILE PREFIX for many repositories',
  discover: 'type: regi referrers LOC',
  'artifact list': 'type: regi referrers LOC',
  'artifact put': 'type: regi attach FILE --to REF --type TYPE',
  backup: 'type: regi export REF… -o FILE',
  restore: 'type: regi import FILE PREFIX',
  'image inspect': LOCAL_INSPECT,
  'image history':
    'type: regi history local:REF for the local store, or regi history REF for its registry',
  'image copy': 'type: regi copy SRC DST',
  'image digest': 'type: regi digest LOC',
  'image config': 'type: regi config LOC',
  'image export': 'type: regi export REF… -o FILE',
  'image delete': 'type: regi delete REPO@DIGEST, or regi rmi REF for the local store',
  'manifest inspect': 'type: regi manifest get LOC, or regi inspect LOC to read it',
  'manifest fetch': 'type: regi manifest get LOC',
  'manifest push': 'type: regi manifest put REF FILE',
  'manifest create': 'type: regi index create REF IMAGE…',
  'manifest annotate': 'type: regi index add REF IMAGE --platform P',
  'manifest delete': 'type: regi delete REPO@DIGEST',
  'manifest head': 'type: regi digest LOC',
  'blob fetch': 'type: regi blob get REPO@DIGEST',
  'blob push': 'type: regi blob put REPO FILE',
  'registry login': 'type: regi login REGISTRY',
};

/** Returns a hint for a command of another tool; undefined for other words. */
export function hintForForeign(words: string): string | undefined {
  return Object.hasOwn(HINTS, words) ? HINTS[words] : undefined;
}

/** The commands with a hint, for tests. */
export const FOREIGN_WORDS: readonly string[] = Object.keys(HINTS);
