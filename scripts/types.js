// Makes dist/types/index.d.ts: every public type in one file, which needs nothing but Node's own types.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseSync } from 'oxc-parser';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const ENTRY = 'index.d.ts';

/**
 * @typedef {{ readonly name: string, readonly text: string, readonly uses: ReadonlySet<string> }} Declaration
 * @typedef {{ readonly from: string, readonly name: string }} Import
 * @typedef {{ readonly declarations: readonly Declaration[], readonly imports: ReadonlyMap<string, Import>, readonly exports: readonly Import[] }} Module
 * @typedef {{ readonly type: string, readonly start: number, readonly end: number, readonly [member: string]: any }} Node
 */

const output = process.argv[2] ?? join(ROOT, 'dist', 'types', ENTRY);
mkdirSync(join(ROOT, 'dist'), { recursive: true });
const folder = mkdtempSync(join(ROOT, 'dist', 'types-'));
try {
  emit(folder);
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(
    output,
    rollUp((path) => readFileSync(join(folder, path), 'utf8')),
  );
} finally {
  rmSync(folder, { recursive: true });
}

/**
 * Has the compiler write a declaration file beside each module that the entry reaches.
 *
 * @param {string} outDir
 */
function emit(outDir) {
  const config = join(outDir, 'tsconfig.json');
  const compilerOptions = {
    rootDir: join(ROOT, 'src'),
    outDir,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    stripInternal: true,
  };
  const files = ['src/index.ts', 'src/http/undici.d.ts'].map((file) => join(ROOT, file));
  const settings = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, files, include: [] };
  writeFileSync(config, JSON.stringify(settings));
  execFileSync(process.execPath, [TSC, '-p', config], { stdio: 'inherit' });
}

/**
 * Writes what the entry exports, in its order, each followed by the declarations that it alone needs.
 *
 * @param {(path: string) => string} read
 */
function rollUp(read) {
  /** @type {Map<string, Module>} */
  const modules = new Map();
  /** @type {Map<string, string>} */
  const homes = new Map();
  /** @type {Map<string, Set<string>>} */
  const external = new Map();
  /** @type {string[]} */
  const written = [];
  const entry = load(ENTRY);
  const isPublic = new Set(entry.exports.map(({ name }) => name));
  for (const { from, name } of entry.exports) write(from, name);
  const imports = [...external].map(
    ([from, names]) => `import type { ${[...names].sort().join(', ')} } from '${from}';\n`,
  );
  return `${imports.sort().join('')}\n${written.join('\n')}\nexport {};\n`;

  /** @param {string} path */
  function load(path) {
    const known = modules.get(path);
    if (known !== undefined) return known;
    const loaded = parseModule(path, read(path));
    modules.set(path, loaded);
    return loaded;
  }

  /**
   * @param {string} path
   * @param {string} name
   */
  function write(path, name) {
    if (path.startsWith('node:')) {
      external.set(path, (external.get(path) ?? new Set()).add(name));
      return;
    }
    if (!path.endsWith('.d.ts')) throw new Error(`Keep the types of "${path}" out of the library`);
    const home = homes.get(name);
    if (home === path) return;
    if (home !== undefined) throw new Error(`Rename one "${name}" of ${home} and ${path}`);
    homes.set(name, path);
    const { declarations, imports } = load(path);
    const found = declarations.filter((declaration) => declaration.name === name);
    if (found.length === 0) throw new Error(`No "${name}" in ${path}`);
    for (const { text } of found) written.push(declared(text, isPublic.has(name)));
    for (const used of found.flatMap(({ uses }) => [...uses])) {
      const imported = imports.get(used);
      if (imported !== undefined) write(imported.from, imported.name);
      else if (declarations.some((declaration) => declaration.name === used)) write(path, used);
    }
  }
}

/**
 * @param {string} path
 * @param {string} text
 * @returns {Module}
 */
function parseModule(path, text) {
  const { program, comments, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  /** @type {Declaration[]} */
  const declarations = [];
  /** @type {Map<string, Import>} */
  const imports = new Map();
  /** @type {Import[]} */
  const exports = [];
  for (const statement of /** @type {readonly Node[]} */ (program.body)) {
    const { source, specifiers = [], declaration = statement } = statement;
    for (const { imported, exported, local } of specifiers) {
      const name = (imported ?? local).name;
      if (name === undefined || (exported ?? local).name !== name)
        throw new Error(`${path}: expected names to be imported as they are`);
      const from = resolve(path, source.value);
      if (statement.type === 'ImportDeclaration') imports.set(name, { from, name });
      else exports.push({ from, name });
    }
    if (specifiers.length > 0 || declaration === null) continue;
    const comment = comments.findLast(({ end }) => end <= statement.start);
    const isOwn = comment !== undefined && /^\s*$/.test(text.slice(comment.end, statement.start));
    declarations.push({
      name: (declaration.id ?? declaration.declarations[0].id).name,
      text: text.slice(isOwn ? comment.start : statement.start, statement.end),
      uses: usedIn(declaration),
    });
  }
  return { declarations, imports, exports };
}

/**
 * The file of a relative import; the name of a package or of a part of Node as it is.
 *
 * @param {string} path
 * @param {string} target
 */
function resolve(path, target) {
  if (!target.startsWith('.')) return target;
  return posix.join(posix.dirname(path), target.replace(/\.ts$/, '.d.ts'));
}

/**
 * Names of other declarations that one declaration mentions.
 *
 * @param {Node} root
 */
function usedIn(root) {
  /** @type {Set<string>} */
  const names = new Set();
  /** @param {unknown} node */
  const visit = (node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const { typeName, exprName, expression, superClass, computed, key } = /** @type {Node} */ (
      node
    );
    for (let name of [typeName, exprName, expression, superClass, computed ? key : undefined]) {
      while (name?.type === 'TSQualifiedName') name = name.left;
      if (name?.type === 'Identifier') names.add(name.name);
    }
    Object.values(node).forEach(visit);
  };
  visit(root);
  return names;
}

/**
 * @param {string} text
 * @param {boolean} isExported
 */
function declared(text, isExported) {
  return `${text.replace(/^((?:\/\*\*.*?\*\/\s*)?)(?:export )?/s, `$1${isExported ? 'export ' : ''}`)}\n`;
}
