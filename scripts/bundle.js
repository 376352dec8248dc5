// Makes dist/: the command line as one CommonJS file, the library as ES modules, and the licences of what both contain.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

import { COMMAND_LINE, COMMON } from './bundle-options.js';

/**
 * Leaves the library of certificates in a file of its own, for the command line and for the library: few runs need it.
 *
 * @type {import('esbuild').Plugin}
 */
const withoutSigstore = {
  name: 'without-sigstore',
  setup(esbuild) {
    esbuild.onResolve({ filter: /\/sigstore\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './sigstore.cjs', external: true } : undefined,
    );
  },
};

// One file, because Node 20 loads sixty slowly; the names in a stack trace stay.
const commandLine = await build({
  ...COMMAND_LINE,
  metafile: true,
  entryPoints: { main: 'src/main.ts', 'keychain-child': 'src/credentials/keychain/child.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  // The single executables, which have one file, contain it.
  plugins: [...(COMMAND_LINE.plugins ?? []), withoutSigstore],
});
const main = withLazyModules(readFileSync('dist/main.cjs', 'latin1'));
// esbuild does not escape regular expressions, and bin/compile-cache.js reads latin1.
if (/[^\0-\x7f]/.test(main))
  throw new Error('Cannot bundle: write \\u escapes in regular expressions that are not ASCII');
// The last line names the content, for bin/compile-cache.js.
writeFileSync(
  'dist/main.cjs',
  `${main}// ${createHash('sha256').update(main).digest('hex').slice(0, 16)}\n`,
  'latin1',
);

const library = await build({
  ...COMMON,
  metafile: true,
  entryPoints: ['src/index.ts'],
  outdir: 'dist',
  format: 'esm',
  splitting: true,
  banner: {
    js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
  },
  plugins: [withoutSigstore],
});

const sigstore = await build({
  ...COMMON,
  metafile: true,
  entryPoints: { sigstore: 'src/trust/keyless/sigstore.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  minifyWhitespace: true,
  minifySyntax: true,
});

const inputs = [commandLine, library, sigstore].flatMap(({ metafile }) =>
  Object.keys(metafile.inputs),
);
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

/**
 * Loads modules of Node when a member of them is first used. A short command needs no TLS, no DNS and no hash, and Node
 * compiles those anew in each process: that is a seventh of the time of `regi digest`.
 *
 * @param {string} code
 */
function withLazyModules(code) {
  const lazy = 'var lazyModule=name=>new Proxy({},{get:(_,member)=>require(name)[member]});';
  const made = code.replaceAll(
    /(\bimport_node_\w+|\btls)=(?:__toESM\()?require\("(node:(?:crypto|dns|tls))"\)(?:,1\))?/g,
    '$1=lazyModule("$2")',
  );
  if (made === code) throw new Error('Cannot bundle: found no module to load later');
  return made.replace('"use strict";', `"use strict";${lazy}`);
}

/**
 * @param {string} name
 * @returns {string}
 */
function licenceOf(name) {
  // A package of the repository of another one, which has the licence of both.
  const folder = packages.get(name === '@sigstore/verify' ? '@sigstore/core' : name) ?? '';
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(?:\.\w+)?$/i.test(entry));
  if (file === undefined) throw new Error(`No licence in ${folder}`);
  const text = readFileSync(join(folder, file), 'utf8').replaceAll('\r', '').trim();
  const line = '='.repeat(80);
  return `\n${line}\n${name}\n${line}\n\n${text}\n`;
}
