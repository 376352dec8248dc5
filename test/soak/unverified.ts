import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { build } from 'esbuild';

import type { main } from '../../src/main.ts';

/** What `verified()` throws when the digest is another one. */
const PROOF = 'if (digest !== expected.digest) throw new ContentMismatchError(expected, digest);';

/**
 * A regi that believes every byte: the proof of content is cut out of its source while it is built.
 * A soak that stays green with it would prove nothing. Nothing in `src` knows of this.
 *
 * @param outdir where it is built; it loads its parts from there as it runs.
 */
export async function buildUnverified(outdir: string): Promise<typeof main> {
  await build({
    entryPoints: ['src/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    splitting: true,
    outdir,
    outExtension: { '.js': '.mjs' },
    external: ['@napi-rs/keyring'],
    logLevel: 'warning',
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
    plugins: [
      {
        name: 'unverified',
        setup(host) {
          host.onLoad({ filter: /src[/\\]bytes\.ts$/ }, ({ path }) => {
            const source = readFileSync(path, 'utf8');
            if (!source.includes(PROOF))
              throw new Error(`Cannot switch the proof off: ${path} has no line "${PROOF}"`);
            return { contents: source.replace(PROOF, ''), loader: 'ts' };
          });
        },
      },
    ],
  });
  const built: unknown = await import(pathToFileURL(join(outdir, 'main.mjs')).href);
  return (built as { readonly main: typeof main }).main;
}
