import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * Runs a program that has to succeed, and returns its standard output.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Readonly<Record<string, string | undefined>>, input?: string }} [options]
 * @returns {Promise<string>}
 */
export async function run(program, args, { cwd, env, input = '' } = {}) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe' });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => void (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => void (output.stderr += text));
  child.stdin.on('error', () => undefined).end(input);
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  if (status === 0) return output.stdout;
  throw new Error(
    `\`${[program, ...args].join(' ')}\` ended with ${status}\n${output.stderr}${output.stdout}`,
  );
}

/** @param {string} program */
export function isInstalled(program) {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
}

/**
 * Lists the Debian packages that a release needs and this machine lacks.
 *
 * @param {readonly { readonly program?: string, readonly file?: string, readonly package: string }[]} needs
 */
export function missingPackages(needs) {
  const missing = needs.filter(({ program, file }) =>
    program === undefined ? !existsSync(file ?? '') : !isInstalled(program),
  );
  return [...new Set(missing.map((need) => need.package))];
}
