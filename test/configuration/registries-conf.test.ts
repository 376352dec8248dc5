import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import {
  matchPrefix,
  rewrite,
  findRule,
  pullSources,
  takes,
} from '../../src/configuration/pull-sources.ts';
import {
  mergeRegistriesConf,
  parseLocation,
  parseRegistriesConf,
  type RegistriesConf,
  type RegistryRule,
} from '../../src/configuration/registries-conf.ts';
import { InvalidConfigError } from '../../src/errors.ts';
import { formatReference, parseReference } from '../../src/oci/reference.ts';

interface Match {
  readonly ref: string;
  readonly prefix: string;
  readonly matchedLength: number;
}

interface Candidates {
  readonly ref: string;
  readonly candidates: readonly { readonly ref: string; readonly insecure: boolean }[];
}

interface Table {
  readonly 'parse-location': readonly { readonly input: string; readonly expected?: string }[];
  readonly 'prefix-match': readonly Match[];
  readonly 'subdomain-match': readonly Match[];
  readonly rewrite: readonly {
    readonly ref: string;
    readonly prefix: string;
    readonly location: string;
    readonly expected: string;
  }[];
  readonly 'rewrite-fails': readonly {
    readonly ref: string;
    readonly prefix: string;
    readonly location: string;
  }[];
  readonly 'find-registry': {
    readonly conf: string;
    readonly cases: readonly { readonly ref: string; readonly location: string | null }[];
  };
  readonly 'pull-sources': { readonly conf: string; readonly cases: readonly Candidates[] };
  readonly 'man-page-example': { readonly conf: string; readonly cases: readonly Candidates[] };
  readonly invalid: readonly { readonly conf: string }[];
  readonly v1: {
    readonly conf: string;
    readonly registries: number;
  };
  readonly dropins: {
    readonly 'locations-in-order (longest prefix first)': readonly string[];
  };
  readonly 'credential-helpers': readonly {
    readonly base: string;
    readonly dir: string | null;
    readonly helpers: readonly string[];
  }[];
  readonly 'short-name-mode': readonly { readonly value: string; readonly ok?: boolean }[];
  readonly fixtures: Readonly<Record<string, string>>;
}

const TABLE = JSON.parse(
  readFileSync(new URL('../tables/registries-conf.json', import.meta.url), 'utf8'),
) as Table;

function fixture(name: string): RegistriesConf {
  return parseRegistriesConf(TABLE.fixtures[name] ?? '', name);
}

/** A main file and its drop-ins, as the reader of files gives them. */
function load(base: string, folder: string | null): RegistriesConf {
  const dropIns = Object.keys(TABLE.fixtures).filter(
    (name) => folder !== null && name.startsWith(`${folder}/`) && name.endsWith('.conf'),
  );
  return mergeRegistriesConf([base, ...dropIns.toSorted()].map(fixture));
}

function candidates(rules: readonly RegistryRule[], text: string): Candidates['candidates'] {
  const reference = parseReference(text);
  const kind = reference.digest === undefined ? 'tag' : 'digest';
  return pullSources(reference, findRule(rules, text), undefined)
    .filter((source) => takes(source, kind))
    .map((source) => ({ ref: formatReference(source.reference), insecure: source.insecure }));
}

describe('the table registries-conf.json', () => {
  test.each(TABLE['parse-location'])('parseLocation() reads $input', ({ input, expected }) => {
    const fail = (problem: string): never => {
      throw new Error(problem);
    };
    if (expected === undefined) expect(() => parseLocation(input, fail)).toThrow('scheme');
    else expect(parseLocation(input, fail)).toBe(expected);
  });

  test.each([...TABLE['prefix-match'], ...TABLE['subdomain-match']])(
    'matchPrefix() of $ref and $prefix is $matchedLength',
    ({ ref, prefix, matchedLength }) => {
      expect(matchPrefix(ref, prefix) ?? -1).toBe(matchedLength);
    },
  );

  test.each(TABLE.rewrite)(
    'rewrite() puts "$location" for $prefix in $ref',
    ({ ref, prefix, location, expected }) => {
      const rewritten = rewrite(parseReference(ref), prefix, location);
      expect(rewritten && formatReference(rewritten)).toBe(expected);
    },
  );

  test.each(TABLE['rewrite-fails'])(
    'rewrite() refuses "$location" for $prefix in $ref',
    ({ ref, prefix, location }) => {
      expect(rewrite(parseReference(ref), prefix, location)).toBeUndefined();
    },
  );

  test.each(TABLE['find-registry'].cases)(
    'findRule() finds $location for $ref',
    ({ ref, location }) => {
      expect(
        findRule(load('find-registry.conf', 'registries.conf.d').rules, ref)?.location ?? null,
      ).toBe(location);
    },
  );

  test.each(TABLE['pull-sources'].cases)(
    'pullSources() of $ref',
    ({ ref, candidates: expected }) => {
      expect(candidates(fixture(TABLE['pull-sources'].conf).rules, ref)).toEqual(expected);
    },
  );

  test.each(TABLE['man-page-example'].cases)(
    'pullSources() of the manual, $ref',
    ({ ref, candidates: expected }) => {
      expect(
        candidates(parseRegistriesConf(TABLE['man-page-example'].conf, 'the manual').rules, ref),
      ).toEqual(expected);
    },
  );

  test.each(TABLE.invalid)('parseRegistriesConf() refuses $conf', ({ conf }) => {
    expect(TABLE.fixtures[conf]).toBeDefined();
    expect(() => fixture(conf)).toThrow(InvalidConfigError);
  });

  test('parseRegistriesConf() reads version 1', () => {
    const conf = fixture(TABLE.v1.conf).rules;
    expect(conf).toHaveLength(TABLE.v1.registries);
    expect(conf.find(({ prefix }) => prefix === 'registry-b.com')).toMatchObject({
      insecure: true,
      blocked: true,
    });
  });

  test('mergeRegistriesConf() lets drop-ins replace whole tables', () => {
    const conf = load('base-for-registries.d.conf', 'registries.conf.d').rules;
    expect(conf.map(({ location }) => location)).toEqual(
      TABLE.dropins['locations-in-order (longest prefix first)'],
    );
    expect(conf.find(({ prefix }) => prefix === 'base.com')).toMatchObject({
      blocked: true,
      insecure: false,
    });
  });

  test.each(TABLE['credential-helpers'])(
    'C5: mergeRegistriesConf() of $base and $dir names the helpers $helpers',
    ({ base, dir, helpers }) => {
      expect(load(base, dir).credentialHelpers ?? ['containers-auth.json']).toEqual(helpers);
    },
  );

  test.each(TABLE['short-name-mode'].filter(({ ok }) => ok !== undefined))(
    'parseRegistriesConf() with short-name-mode $value',
    ({ value, ok }) => {
      const read = () => parseRegistriesConf(`short-name-mode = "${value}"`, 'it');
      if (ok === false) expect(read).toThrow(InvalidConfigError);
      else expect(read().rules).toEqual([]);
    },
  );
});

describe('parseRegistriesConf()', () => {
  test('parseRegistriesConf() names file and line when the text is not TOML', () => {
    expect(() => parseRegistriesConf('[[registry]]\nlocation = oops', '/etc/it.conf')).toThrow(
      /"\/etc\/it\.conf".*line 2/,
    );
  });

  test('parseRegistriesConf() ignores unknown keys', () => {
    expect(
      parseRegistriesConf('unknown = 1\n[[registry]]\nlocation = "a.test"\nnew-key = true', 'it')
        .rules,
    ).toHaveLength(1);
  });
});

describe('findRule()', () => {
  test('findRule() matches Docker Hub only by its full name, as podman does', () => {
    const { rules } = parseRegistriesConf('[[registry]]\nlocation = "docker.io/alpine"\n', 'it');
    expect(findRule(rules, 'docker.io/library/alpine:latest')).toBeUndefined();
  });
});

describe('pullSources()', () => {
  test('pullSources() uses the mirrors of config.yaml instead of those of registries.conf', () => {
    const reference = parseReference('registry.com/app:1');
    const own = [{ location: 'own.test/cache', insecure: false, use: 'all' as const }];
    const rule = findRule(fixture('mirrors.conf').rules, 'registry.com/app:1');
    expect(
      pullSources(reference, rule, own).map((source) => formatReference(source.reference)),
    ).toEqual(['own.test/cache/app:1', 'registry.com/app:1']);
    expect(pullSources(reference, rule, [])).toHaveLength(1);
  });

  test('pullSources() names a location that makes no reference', () => {
    const mirrors = [{ location: 'NOT valid', insecure: false, use: 'all' as const }];
    expect(() => pullSources(parseReference('registry.com/app:1'), undefined, mirrors)).toThrow(
      'NOT valid',
    );
  });
});
