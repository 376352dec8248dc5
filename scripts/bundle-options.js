// How esbuild bundles the command line, for dist/ and for the single executables.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { build } from 'esbuild';

/** @type {import('esbuild').BuildOptions} */
export const COMMON = {
  bundle: true,
  external: ['@napi-rs/keyring'],
  platform: 'node',
  target: 'node20',
  legalComments: 'linked',
  logLevel: 'warning',
  define: { REGI_COMMIT: JSON.stringify(commit() ?? '') },
  // A member of a package that does not exist.
  logOverride: { 'import-is-undefined': 'error' },
};

/**
 * What packages of ours load at their start and never use here. Node compiles such a module anew in each process.
 *
 * @type {readonly { importer: RegExp, module: string, contents: string }[]}
 */
const UNUSED = [
  // A client that is told `allowH2` would; undici puts up with a Node that was built without it.
  {
    importer: /node_modules\/undici\//,
    module: 'node:http2',
    contents: 'module.exports = { constants: {} };',
  },
  // For one number, which our connections set themselves.
  {
    importer: /node_modules\/undici\//,
    module: 'node:http',
    contents: 'module.exports = { maxHeaderSize: 16384 };',
  },
  // It asserts by calling it, and nothing else.
  {
    importer: /node_modules\/undici\//,
    module: 'node:assert',
    contents:
      "module.exports = (value, message = 'a false assertion') => { if (!value) throw new Error(message); };",
  },
  // For commands that are programs of their own.
  {
    importer: /node_modules\/commander\//,
    module: 'node:child_process',
    contents: 'module.exports = {};',
  },
];

/** @type {import('esbuild').Plugin} */
const withoutUnused = {
  name: 'without-unused',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^node:/ }, ({ path, importer }) => {
      const at = UNUSED.findIndex(
        (unused) => unused.module === path && unused.importer.test(importer.replaceAll('\\', '/')),
      );
      return at < 0 ? undefined : { path: `${at}`, namespace: 'unused' };
    });
    esbuild.onLoad({ filter: /^/, namespace: 'unused' }, ({ path }) => ({
      contents: UNUSED[Number(path)]?.contents ?? '',
      loader: 'js',
    }));
  },
};

/**
 * Bundles the functions of zod that src uses, a sixteenth of it. esbuild keeps the whole of a package, here with messages
 * in forty languages, if a module that is loaded late imports it.
 *
 * @type {import('esbuild').Plugin}
 */
const usedPartOfZod = {
  name: 'used-part-of-zod',
  setup(esbuild) {
    esbuild.onLoad({ filter: /[\\/]zod[\\/]mini[\\/]index\.js$/ }, async ({ path }) => {
      const used = membersOfZod();
      const members = Object.entries(await import('zod/mini'))
        .filter(([name, value]) => used.has(name) && typeof value === 'function')
        .map(([name]) => name);
      const { outputFiles } = await build({
        ...COMMON,
        stdin: {
          contents: `export { ${members.join(', ')} } from ${JSON.stringify(path)};`,
          resolveDir: dirname(path),
        },
        format: 'esm',
        legalComments: 'none',
        write: false,
      });
      return { contents: outputFiles[0]?.text ?? '', loader: 'js' };
    });
  },
};

/**
 * One CommonJS file for each entry. What bin/compile-cache.js runs has `require` and nothing else.
 *
 * @type {import('esbuild').BuildOptions}
 */
export const COMMAND_LINE = {
  ...COMMON,
  format: 'cjs',
  supported: { 'dynamic-import': false },
  charset: 'ascii',
  minifyWhitespace: true,
  minifySyntax: true,
  plugins: [withoutUnused, usedPartOfZod],
};

/** Returns the names in `z.name` of all sources; some are types. */
function membersOfZod() {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join('src', path), 'utf8'));
  return new Set(sources.join('\n').match(/(?<=\bz\.)\w+/g));
}

/** Returns the commit of the checkout, with `-dirty` if files differ from it; undefined outside of a checkout. */
function commit() {
  try {
    // In CI the files may belong to another user than the one who builds.
    const words = ['-c', 'safe.directory=*', 'describe', '--always', '--dirty'];
    return execFileSync('git', [...words, '--exclude=*', '--abbrev=12'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}
