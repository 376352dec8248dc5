import { RegiError, type RegiErrorOptions } from '../errors.ts';
import { defined } from '../json.ts';
import { InvalidDigestError, parseDigest, type Digest } from './digest.ts';
import { endOfUserinfo, quote, withoutScheme } from '../quote.ts';

declare const tagBrand: unique symbol;

/**
 * 1 to 128 characters of `[A-Za-z0-9_.-]`; the first is not `.` or `-`. Only this module makes one,
 * so it is safe in a path or URL.
 */
export type Tag = string & { readonly [tagBrand]: true };

/** A repository and the registry that holds it. */
export interface Repository {
  /** `HOST[:PORT]` as typed; `docker.io` for Docker Hub. Requests go to `apiHost(domain)`. */
  readonly domain: string;
  /** `library/ubuntu`: lower case, at most 255 characters, safe in a path or URL. */
  readonly path: string;
}

/**
 * The name of an image in a registry. With both a tag and a digest, the digest decides and the tag
 * stays as the name.
 */
export interface Reference extends Repository {
  /** The tag, when the name has one. */
  readonly tag?: Tag | undefined;
  /** The digest, when the name has one. */
  readonly digest?: Digest | undefined;
}

/** The part of a reference that breaks its rule. */
export type ReferencePart = 'reference' | 'registry' | 'repository' | 'tag' | 'digest';

/** A text that docker would not read as the name of an image. */
export class InvalidReferenceError extends RegiError {
  /** The part that breaks its rule. */
  readonly part: ReferencePart;

  constructor(part: ReferencePart, message: string, options: RegiErrorOptions) {
    super('INVALID_REFERENCE', message, options);
    this.part = part;
  }
}

const FORM = 'write [HOST[:PORT]/]NAME[:TAG][@DIGEST]';
const DIGEST_FORM = 'write @sha256:<64 hex> or @sha512:<128 hex>, in lower case';
const TAG_FORM = 'write a tag of up to 128 letters, digits, "_", "." and "-"';
const PLACES_OF_COLON =
  'write ":" only before a port, as in HOST:5000/NAME, and before the tag at the end';

const HUB = 'docker.io';
const HUB_LEGACY = 'index.docker.io';
const HUB_API = 'registry-1.docker.io';
const OFFICIAL = 'library/';
const DEFAULT_TAG = 'latest';
const PATH_LENGTH = 255;
const TAG_LENGTH = 128;

const LABEL = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/;
const IPV6 = /^\[[a-fA-F0-9:]+\](?::[0-9]+)?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** A reference as it was typed, cut at its separators and not yet checked. */
interface Pieces {
  readonly text: string;
  readonly host: string | undefined;
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/**
 * Parses a reference exactly as docker does: `ubuntu` is `docker.io/library/ubuntu`, and the word
 * before the first "/" is a registry if it is `localhost`, or has a ".", a ":" or an upper-case
 * letter. No tag is added: see `withDefaultTag()`.
 *
 * Two forms that docker accepts are refused, because they are of no use: digests that cannot be
 * verified (sha384), and `a_b.example/name`, which docker reads as a repository without a registry.
 *
 * @throws {InvalidReferenceError} naming the part that breaks its rule.
 * @see https://github.com/distribution/reference/blob/v0.6.0/reference.go
 */
export function parseReference(text: string): Reference {
  refuseForeign(text);
  const pieces = split(text);
  // The digest first: of `user:password@host` nothing before the "@" may be quoted.
  const digest = pieces.digest === undefined ? undefined : checkDigest(pieces.digest, text);
  if (pieces.host !== undefined) checkHost(pieces.host, pieces);
  const domain = pieces.host === undefined || pieces.host === HUB_LEGACY ? HUB : pieces.host;
  const path = domain === HUB && !pieces.name.includes('/') ? OFFICIAL + pieces.name : pieces.name;
  checkPath(path, pieces);
  const tag = pieces.tag === undefined ? undefined : checkTag(pieces.tag, text);
  return defined({ domain, path, tag, digest });
}

/** Parses a name that another tool wrote; undefined if it is not a reference. */
export function referenceIn(name: string): Reference | undefined {
  try {
    return parseReference(name);
  } catch (error) {
    if (error instanceof InvalidReferenceError) return undefined;
    throw error;
  }
}

/**
 * Parses the name of a repository, by the rules of `parseReference`.
 *
 * @throws {InvalidReferenceError} also when the text has a tag or a digest.
 */
export function parseRepository(text: string): Repository {
  const { domain, path, tag, digest } = parseReference(text);
  if (tag === undefined && digest === undefined) return { domain, path };
  const name = text.slice(0, text.length - suffixOf({ tag, digest }).length);
  const part = digest === undefined ? 'tag' : 'digest';
  const found = digest === undefined ? `tag ${quote(tag ?? '')}` : 'a digest';
  // `localhost:5000` is what people write for a registry, and docker reads it as a repository with
  // a tag.
  const isAddress =
    part === 'tag' && !name.includes('/') && isHost(name) && /^\d+$/.test(tag ?? '');
  throw new InvalidReferenceError(
    part,
    `Cannot parse repository ${quote(text)}: expected a name alone, found ${found}`,
    {
      hint: isAddress
        ? `write ${quote(`${text}/NAME`)} for a repository of that registry`
        : `write ${quote(name)}`,
    },
  );
}

/**
 * Parses a tag.
 *
 * @throws {InvalidReferenceError} on any other text.
 */
export function parseTag(text: string): Tag {
  const problem = tagProblem(text);
  if (problem === undefined) return text as Tag;
  throw new InvalidReferenceError('tag', `Cannot parse tag ${quote(text)}: ${problem}`, {
    hint: TAG_FORM,
  });
}

/** True if `parseTag` accepts the text. */
export function isTag(text: string): text is Tag {
  return tagProblem(text) === undefined;
}

/**
 * Formats a reference in full: `docker.io/library/ubuntu:22.04@sha256:…`. `parseReference` reads
 * the same back.
 */
export function formatReference(reference: Reference): string {
  return imageName(repositoryName(reference), reference);
}

/** Formats a repository in full, without tag and digest: `docker.io/library/ubuntu`. */
export function repositoryName({ domain, path }: Repository): string {
  return `${domain}/${path}`;
}

/**
 * Adds the tag and digest of an image to the name of its repository or place: `oci:./dir:1.4`,
 * `registry.example/app@sha256:…`.
 */
export function imageName(
  name: string,
  image: { readonly tag?: string | undefined; readonly digest?: string | undefined },
): string {
  return `${name}${suffixOf(image)}`;
}

/**
 * Formats a reference as people write it: `ubuntu:22.04`. `parseReference` reads the same back.
 * Where docker's own short form would mean another image (`docker.io/a.b/c`), the domain stays.
 */
export function familiarReference(reference: Reference): string {
  const { domain, path } = reference;
  const suffix = suffixOf(reference);
  if (domain !== HUB) return `${domain}/${path}${suffix}`;
  const name =
    path.startsWith(OFFICIAL) && !path.includes('/', OFFICIAL.length)
      ? path.slice(OFFICIAL.length)
      : path;
  const isClear = name.includes('/') ? !isHost(firstWord(name)) : suffix !== '' || !isBareHex(name);
  return isClear ? `${name}${suffix}` : `${domain}/${name}${suffix}`;
}

/** Adds the tag `latest` to a reference with neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: DEFAULT_TAG as Tag }
    : reference;
}

/**
 * Reduces a reference to what docker pulls: the digest alone if it has one, else the tag, else
 * `latest`.
 */
export function pullReference(reference: Reference): Reference {
  const { domain, path, digest } = reference;
  return digest === undefined ? withDefaultTag(reference) : { domain, path, digest };
}

/** Returns the end of a manifest's URL: the digest, else the tag, else `latest`. */
export function identifierOf(reference: Reference): Tag | Digest {
  return reference.digest ?? reference.tag ?? (DEFAULT_TAG as Tag);
}

/**
 * Returns the `HOST[:PORT]` that serves a domain. Credentials are stored under the domain, not
 * under this.
 */
export function apiHost(domain: string): string {
  return domain === HUB ? HUB_API : domain;
}

/** Refuses texts that are not meant as a reference: a URL, a login, a bare digest. */
function refuseForeign(text: string): void {
  const refuse = (problem: string, hint?: string): InvalidReferenceError =>
    failure('reference', text, problem, hint);
  if (text === '') throw refuse('expected the name of an image, found nothing');
  if (/^\s|\s$/.test(text))
    throw refuse('expected no blanks around it', `write ${quote(text.trim())}`);
  if (isBareHex(text))
    throw refuse('64 hex digits alone name no repository', `write NAME@sha256:${text}`);
  const login = endOfUserinfo(text);
  const hasScheme = withoutScheme(text) !== text;
  const rest = withoutScheme(text.slice(login)).replace(/[?#].*$/s, '');
  if (login > 0 && (hasScheme || /[./]/.test(rest)))
    throw refuse(
      'a reference holds no user name and no password',
      `write ${quote(rest)}; "regi login" stores names and passwords`,
    );
  if (hasScheme)
    throw refuse('a reference has no scheme', rest === '' ? FORM : `write ${quote(rest)}`);
}

function split(text: string): Pieces {
  const [beforeDigest = '', digest] = cut(text, '@');
  const first = firstWord(beforeDigest);
  const host = beforeDigest.includes('/') && isHost(first) ? first : undefined;
  const rest = host === undefined ? beforeDigest : beforeDigest.slice(host.length + 1);
  const [name = '', tag] = cut(rest, ':');
  return { text, host, name, tag, digest };
}

/** Cuts a text at the first separator. */
function cut(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function firstWord(name: string): string {
  return name.split('/', 1)[0] ?? '';
}

function isHost(word: string): boolean {
  return word === 'localhost' || isSurelyHost(word) || word.toLowerCase() !== word;
}

function isSurelyHost(word: string): boolean {
  return /[.:]/.test(word);
}

function isBareHex(text: string): boolean {
  return /^[a-f0-9]{64}$/.test(text);
}

function checkHost(host: string, pieces: Pieces): void {
  const refuse = (problem: string, hint?: string): InvalidReferenceError =>
    failure('registry', pieces.text, problem, hint);
  if (host.startsWith('[')) {
    if (IPV6.test(host)) return;
    throw refuse(`expected an address as in "[fc00::1]:5000", found ${quote(host)}`);
  }
  const [name = '', port, ...more] = host.split(':');
  if (more.length > 0)
    throw refuse(
      `expected one ":" and a port in ${quote(host)}`,
      'write an IPv6 address in brackets: [fc00::1]:5000/NAME',
    );
  if (port !== undefined && !/^[0-9]+$/.test(port))
    throw refuse(`expected a port number after ":", found ${quote(port)}`, PLACES_OF_COLON);
  if (name.split('.').every((label) => LABEL.test(label))) return;
  // Only an upper-case letter makes it a host: the text was meant as a repository.
  if (!isSurelyHost(host)) throw upperCase(pieces);
  throw refuse(
    `expected letters, digits and "-" between the dots of a registry's name, found ${quote(name)}`,
  );
}

function checkPath(path: string, pieces: Pieces): void {
  const { text, name } = pieces;
  if (name.toLowerCase() !== name) throw upperCase(pieces);
  const problem = pathProblem(path, name);
  if (problem !== undefined) throw failure('repository', text, problem);
}

function pathProblem(path: string, name: string): string | undefined {
  if (name === '') return 'expected the name of a repository';
  if (path.length > PATH_LENGTH)
    return `expected a repository name of at most ${PATH_LENGTH} characters, found ${path.length}`;
  const odd = name.split('/').find((component) => !COMPONENT.test(component));
  return odd === undefined ? undefined : componentProblem(odd);
}

function componentProblem(component: string): string {
  if (component === '') return 'expected a name on both sides of each "/"';
  const odd = /[^a-z0-9._-]/u.exec(component)?.[0];
  if (odd !== undefined)
    return `expected a-z, 0-9, ".", "_", "-" and "/" in a repository name, found ${quote(odd)}`;
  if (/^[._-]|[._-]$/.test(component))
    return `expected a letter or digit at both ends of ${quote(component)}`;
  return `expected one ".", one or two "_", or some "-" between letters and digits, found ${quote(component)}`;
}

function upperCase({ text, host, name }: Pieces): InvalidReferenceError {
  const kept = host !== undefined && isSurelyHost(host) ? host.length : 0;
  const end = (host === undefined ? 0 : host.length + 1) + name.length;
  const suggestion = text.slice(0, kept) + text.slice(kept, end).toLowerCase() + text.slice(end);
  return new InvalidReferenceError(
    'repository',
    `Repository names are lower-case: ${quote(text)}`,
    { hint: `write ${quote(suggestion)}` },
  );
}

function checkTag(tag: string, text: string): Tag {
  const problem = tagProblem(tag);
  if (problem === undefined) return tag as Tag;
  throw failure(
    'tag',
    text,
    problem,
    tag === ''
      ? 'write a tag after the ":", or drop the ":"'
      : /[/:]/.test(tag)
        ? PLACES_OF_COLON
        : TAG_FORM,
  );
}

function tagProblem(tag: string): string | undefined {
  if (tag === '') return 'expected a tag after ":"';
  if (tag.length > TAG_LENGTH)
    return `expected a tag of at most ${TAG_LENGTH} characters, found ${tag.length}`;
  if (TAG.test(tag)) return undefined;
  const odd = /[^A-Za-z0-9_.-]/u.exec(tag)?.[0];
  if (odd === undefined)
    return `expected a letter, digit or "_" at the beginning of tag ${quote(tag)}`;
  return `expected letters, digits, "_", "." and "-" in tag ${quote(tag)}, found ${quote(odd)}`;
}

function checkDigest(digest: string, text: string): Digest {
  const refuse = (problem: string, hint = DIGEST_FORM, cause?: unknown): InvalidReferenceError =>
    failure('digest', text, problem, hint, cause);
  if (digest === '') throw refuse('expected a digest after "@"');
  if (digest.includes('@')) throw refuse('expected one "@" and one digest');
  if (/^[^:]*:[^:]*:/.test(digest))
    throw refuse('expected the tag before the digest', 'write NAME:TAG@DIGEST');
  try {
    return parseDigest(digest);
  } catch (cause) {
    if (!(cause instanceof InvalidDigestError)) throw cause;
    throw refuse(`in its digest, ${cause.problem}`, DIGEST_FORM, cause);
  }
}

function suffixOf({ tag, digest }: Parameters<typeof imageName>[1]): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

function failure(
  part: ReferencePart,
  text: string,
  problem: string,
  hint = FORM,
  cause?: unknown,
): InvalidReferenceError {
  return new InvalidReferenceError(part, `Cannot parse reference ${quote(text)}: ${problem}`, {
    hint,
    cause,
  });
}
