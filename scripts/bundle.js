// Makes dist/: the command line as one CommonJS file, the library as ES modules, and the licences of what both contain.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  external: ['@napi-rs/keyring'],
  platform: 'node',
  target: 'node20',
  legalComments: 'linked',
  logLevel: 'warning',
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

// One file, because Node 20 loads sixty slowly; the names in a stack trace stay.
const commandLine = await build({
  ...common,
  metafile: true,
  entryPoints: { main: 'src/main.ts', 'keychain-child': 'src/credentials/keychain/child.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  // What bin/compile-cache.js runs has `require` and nothing else.
  supported: { 'dynamic-import': false },
  charset: 'ascii',
  minifyWhitespace: true,
  minifySyntax: true,
  plugins: [withoutUnused],
});
// The last line names the content, for bin/compile-cache.js.
const main = readFileSync('dist/main.cjs', 'latin1');
// esbuild does not escape regular expressions, and bin/compile-cache.js reads latin1.
if (/[^\0-\x7f]/.test(main))
  throw new Error('Cannot bundle: write \\u escapes in regular expressions that are not ASCII');
writeFileSync(
  'dist/main.cjs',
  `${main}// ${createHash('sha256').update(main).digest('hex').slice(0, 16)}\n`,
  'latin1',
);

const library = await build({
  ...common,
  metafile: true,
  entryPoints: ['src/index.ts'],
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  banner: {
    js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
  },
});

const inputs = [commandLine, library].flatMap(({ metafile }) => Object.keys(metafile.inputs));
/** The folder of each package by its name. A package inside of another one is in the same list. */
const packages = new Map(
  inputs.flatMap((path) => {
    const found = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(path);
    return found === null ? [] : [[found[2] ?? '', found[1] ?? '']];
  }),
);
const licences = [...packages.keys()].sort().map(licenceOf).join('');
writeFileSync(
  'dist/THIRD-PARTY-LICENSES.txt',
  `The files in this folder contain these packages.\n${licences}`,
);

/** @param {string} name */
function licenceOf(name) {
  const folder = packages.get(name) ?? '';
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(?:\.\w+)?$/i.test(entry));
  if (file === undefined) throw new Error(`No licence in ${folder}`);
  const text = readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim();
  const line = '='.repeat(80);
  return `\n${line}\n${name}\n${line}\n\n${text}\n`;
}
