import type { JsonObject } from '../../json.ts';
import { fromGoRegex, fromMasterminds, type Converted } from './go.ts';
import { mapOf, readOtherYaml, textOf, textsOf } from './read.ts';
import { writeFile, type WrittenEntry, type WrittenMap } from './written.ts';

const TO = '${MIRROR}/{name}';
const DIGEST = /^sha(?:256|512):[0-9a-f]+$/;

/**
 * Converts the file of `skopeo sync --src yaml`. Its destination is an argument of skopeo: here it
 * is the variable MIRROR.
 *
 * @see https://github.com/containers/skopeo/blob/main/docs/skopeo-sync.1.md
 */
export async function fromSkopeo(text: string, name: string): Promise<string> {
  const file = await readOtherYaml(text, name, 'skopeo sync');
  const registries = new Map<string, { fields: WrittenMap; notes: readonly string[] }>();
  const entries: WrittenEntry[] = [];
  for (const [host, value] of Object.entries(file)) {
    const registry = mapOf(value);
    const settings = settingsOf(registry, host);
    if (settings.notes.length > 0 || Object.keys(settings.fields).length > 0)
      registries.set(host, settings);
    entries.push(...entriesOf(registry, host));
  }
  return writeFile({
    tool: 'skopeo sync',
    notes: [
      'Set MIRROR to the destination of skopeo sync, such as registry.example/mirror.',
      'For --scoped write {registry}/{repository} in place of {name}.',
      'skopeo sync copies one platform without --all; "platforms" narrows images here.',
    ],
    registries,
    defaults: { referrers: false },
    entries,
  });
}

function settingsOf(
  registry: JsonObject,
  host: string,
): { readonly fields: WrittenMap; readonly notes: readonly string[] } {
  const notes: string[] = [];
  if (registry['credentials'] !== undefined)
    notes.push(`credentials: log in with: regi login ${host}`);
  const certificates = textOf(registry['cert-dir']);
  if (certificates !== undefined && certificates !== '')
    notes.push(`cert-dir ${certificates}: put it into certs.d, or name its CA in "caFile"`);
  const isUnverified = registry['tls-verify'] === false;
  return { fields: isUnverified ? { tlsSkipVerify: true } : {}, notes };
}

function entriesOf(registry: JsonObject, host: string): readonly WrittenEntry[] {
  const entries: WrittenEntry[] = [];
  for (const [repository, tags] of Object.entries(mapOf(registry['images']))) {
    const all = textsOf(tags);
    const from = `${host}/${repository}`;
    const names = all.filter((tag) => !DIGEST.test(tag));
    if (all.length === 0) entries.push({ fields: { from, to: TO }, notes: [] });
    if (names.length > 0) entries.push({ fields: { from, to: TO, tags: names }, notes: [] });
    for (const digest of all.filter((tag) => DIGEST.test(tag)))
      entries.push({ fields: { from: `${from}@${digest}`, to: TO }, notes: [] });
  }
  const patterns: readonly [string, (text: string) => Converted][] = [
    ['images-by-tag-regex', fromGoRegex],
    ['images-by-semver', fromMasterminds],
  ];
  for (const [field, convert] of patterns) {
    for (const [repository, value] of Object.entries(mapOf(registry[field]))) {
      const text = textOf(value) ?? '';
      const converted = convert(text);
      const base = { from: `${host}/${repository}`, to: TO };
      entries.push(
        'pattern' in converted
          ? { fields: { ...base, tags: [converted.pattern] }, notes: [] }
          : { fields: { ...base, tags: [text] }, notes: [], problem: converted.problem },
      );
    }
  }
  return entries;
}
