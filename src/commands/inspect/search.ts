import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { parseCount, parseHost } from '../../option-values.ts';
import { quote } from '../../quote.ts';
import { printable } from '../../redact.ts';
import type { FoundRepository } from '../../registry/search.ts';
import { countOption, positional, values } from '../arguments/arguments.ts';
import { pageStyle } from '../../render/page-style.ts';
import { createRegistries, type Registries } from '../../targets/registries.ts';
import { tableLines, type Column } from '../../render/table.ts';
import { fit } from '../../render/text.ts';
import { linesText, type Styled } from '../../styled.ts';

/** A repository that was found. `--json` prints these names, so they are API. */
interface SearchRow {
  /** As a reference has it. */
  readonly name: string;
  readonly description: string;
  readonly mark: FoundRepository['mark'];
  readonly stars: number | undefined;
  readonly pulls: number | string | undefined;
  /** A line of the table, with the header before the first one. */
  readonly line: Styled;
}

const DEFAULT_LIMIT = 25;
/** Docker Hub returns no more. */
const MAX_LIMIT = 100;

/** `regi search`: finds repositories by name. */
export const searchCommand: CommandBody<SearchRow> = {
  run: runSearch,
  text: ({ line }) => line,
  json: ({ line: _line, ...row }) => row,
};

async function* runSearch(args: ParsedArguments, context: Context): AsyncIterable<SearchRow> {
  const { host, term } = parseSearch(positional(args, 0, 'a word'));
  const limit = countOption(args, 'limit', MAX_LIMIT) ?? DEFAULT_LIMIT;
  const accepts = parseFilters(values(args, 'filter'));
  const registries = await createRegistries(context);
  try {
    const found = await search(registries, host, term, limit, context.signal);
    const shown = found.filter(accepts).slice(0, limit);
    if (shown.length === 0)
      context.note(`No repository of "${host ?? 'docker.io'}" matches ${quote(term)}`);
    const lines = tableOf(shown, host, context);
    for (const [index, { repository, ...rest }] of shown.entries())
      yield { name: nameOf(repository, host), ...rest, line: lines[index] ?? '' };
  } finally {
    await registries.close();
  }
}

async function search(
  registries: Registries,
  host: string | undefined,
  term: string,
  limit: number,
  signal: AbortSignal,
): Promise<readonly FoundRepository[]> {
  const { HUB_HOST, searchHarbor, searchHub } = await import('../../registry/search.ts');
  if (host === undefined)
    return searchHub(registries.connect(HUB_HOST, 'source'), term, { limit, signal });
  return (
    (await searchHarbor(registries.connect(host, 'source'), term, { signal })) ??
    searchCatalog(registries, host, term, limit, signal)
  );
}

/** Searches the catalog of a registry that has no search. */
async function searchCatalog(
  registries: Registries,
  host: string,
  term: string,
  limit: number,
  signal: AbortSignal,
): Promise<readonly FoundRepository[]> {
  const found: FoundRepository[] = [];
  try {
    for await (const repository of registries.openPlace(host).repositories({ signal })) {
      if (!repository.includes(term.toLowerCase())) continue;
      const unknown = { mark: undefined, stars: undefined, pulls: undefined };
      found.push({ repository, description: '', ...unknown });
      if (found.length >= limit) break;
    }
  } catch (error) {
    if (!(error instanceof RegiError) || (error.code !== 'NOT_FOUND' && error.code !== 'REFUSED'))
      throw error;
    throw new RegiError(
      'UNSUPPORTED',
      `Cannot search "${host}": it has neither a search nor a catalog`,
      { hint: `name a repository and list its tags: regi tags list ${host}/NAME`, cause: error },
    );
  }
  return found;
}

/**
 * Splits a term as docker does: the word before the first "/" is a registry when it looks like one.
 */
function parseSearch(text: string): { readonly host: string | undefined; readonly term: string } {
  const slash = text.indexOf('/');
  const [first, rest] = [text.slice(0, Math.max(slash, 0)), text.slice(slash + 1)];
  const isHost = first === 'localhost' || /[.:]/.test(first);
  if (!isHost) return { host: undefined, term: required(text) };
  const host = parseHost('TERM', first);
  return {
    host: /^(?:(?:www|index|hub|registry-1)\.)?docker\.(?:io|com)$/.test(host) ? undefined : host,
    term: required(rest),
  };
}

function required(term: string): string {
  if (term.trim() !== '') return term.trim();
  throw new UsageError('Cannot search for nothing: expected a word', {
    hint: 'type: regi search nginx, or regi search registry.example/nginx',
  });
}

/** Parses docker's filters. @throws {UsageError} on others. */
function parseFilters(texts: readonly string[]): (found: FoundRepository) => boolean {
  const filters = texts.map((text): ((found: FoundRepository) => boolean) => {
    const [, name, wanted = ''] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
    if (name === 'stars') {
      const least = parseCount('--filter stars', wanted, 0, 999_999_999);
      return ({ stars = 0 }) => stars >= least;
    }
    const isYes = ['true', '1'].includes(wanted);
    if (name === 'is-official' && (isYes || ['false', '0'].includes(wanted)))
      return ({ mark }) => (mark === 'official') === isYes;
    throw new UsageError(
      `Cannot use ${quote(text)} for "--filter": expected stars=N or is-official=true`,
      { hint: 'write --filter stars=10' },
    );
  });
  return (found) => filters.every((accepts) => accepts(found));
}

function nameOf(repository: string, host: string | undefined): string {
  return host === undefined ? repository : `${host}/${repository}`;
}

const DESCRIPTION_WIDTH = 60;

/** Formats a table without its empty columns. */
function tableOf(
  found: readonly FoundRepository[],
  host: string | undefined,
  context: Context,
): readonly Styled[] {
  const style = pageStyle(context);
  const columns: readonly (Column & { readonly cell: (row: FoundRepository) => string })[] = [
    {
      title: 'NAME',
      role: 'name',
      keepsEnd: true,
      cell: ({ repository }) => nameOf(repository, host),
    },
    { title: 'MARK', role: 'good', rank: 2, cell: ({ mark = '' }) => mark },
    { title: 'STARS', rank: 3, cell: ({ stars }) => (stars === undefined ? '' : String(stars)) },
    { title: 'PULLS', rank: 4, cell: ({ pulls }) => (pulls === undefined ? '' : String(pulls)) },
    {
      title: 'DESCRIPTION',
      cell: ({ description }) =>
        fit(printable(description.replace(/\s+/g, ' ')), DESCRIPTION_WIDTH, style),
    },
  ];
  const used = columns.filter(
    ({ title, cell }) => title === 'NAME' || found.some((row) => cell(row) !== ''),
  );
  const cells = found.map((row) => used.map(({ cell }) => cell(row)));
  const [head = '', ...lines] = tableLines(used, cells, style);
  return lines.map((line, index) => linesText(index === 0 ? [head, line] : [line]));
}
