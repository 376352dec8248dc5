import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { transferLines } from '../../src/cli/progress/transfer-lines.ts';
import { TransferModel } from '../../src/cli/progress/transfer-model.ts';
import { systemClock } from '../../src/clock.ts';
import { columnsOf } from '../../src/render/text.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import { createMemoryPlace } from '../../src/stores/memory.ts';
import { plainText } from '../../src/styled.ts';
import { runMain, type RunMainOptions } from '../support/cli/run-main.ts';
import { expectGolden } from '../support/golden.ts';
import { layer } from '../support/images/descriptors.ts';
import { makeArtifact, makeIndex } from '../support/images/images.ts';
import { makeLayered, member } from '../support/images/layered-image.ts';
import { blobPath } from '../support/images/layout-folder.ts';
import { makeShowImage } from '../support/images/show-image.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { ROOT } from '../support/root.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const PAGE = 'docs/look.md';
const HEADING = '## Every screen at 100 and 40 columns\n';

/** The registry of the page: as long as `127.0.0.1:` and a port, so that nothing moves. */
const SHOWN_HOST = 'private.example';

const { file } = member;
const SHOW = makeShowImage();
const INDEX = makeIndex({ attestations: true });
const OLD = makeLayered([[file('etc/motd', 'old\n'), file('srv/a', 'a')]], {
  created: '2020-01-01T00:00:00Z',
  config: { Cmd: ['nginx'], Labels: { version: '1.0' } },
});
const NEW = makeLayered(
  [
    [file('etc/motd', 'old\n'), file('srv/a', 'a')],
    [file('etc/motd', 'a newer one\n'), file('srv/b', 'b'.repeat(5000))],
  ],
  {
    created: '2023-11-01T00:00:00Z',
    config: { Cmd: ['nginx', '-g', 'daemon off;'], Labels: { version: '1.1' } },
  },
);

let cwd: string;
let home: string;
let registry: FakeRegistry;

beforeAll(async () => {
  cwd = temporaryFolder('screens');
  home = temporaryFolder('home');
  const place = createMemoryPlace();
  const app = place.open('team/app');
  await OLD.pushTo(app, '1.0');
  await NEW.pushTo(app, '1.1');
  await INDEX.pushAll(app, 'latest');
  await makeArtifact({ size: 300, subject: INDEX.root }).pushAll(app);
  registry = await startFakeRegistry({ place });
  await SHOW.pushTo(
    await openLayout(join(cwd, 'show'), { create: true, clock: systemClock }),
    '1.27',
  );
  const damaged = join(cwd, 'stick');
  const stick = await openLayout(damaged, { create: true, clock: systemClock });
  await OLD.pushTo(stick, 'app');
  await NEW.pushTo(stick, 'newer');
  const [shared = NEW.root, own = NEW.root] = NEW.layers;
  truncateSync(blobPath(damaged, shared.digest), 10);
  rmSync(blobPath(damaged, own.digest));
  for (const tag of ['1.0', '1.1']) await run(['pull', `${registry.host}/team/app:${tag}`]);
});

/** A command of the page. `HOST` is the registry. */
interface Screen {
  readonly title: string;
  readonly command: string;
  readonly status?: number;
  readonly options?: RunMainOptions;
}

const SCREENS: readonly Screen[] = [
  { title: 'help', command: 'help tags' },
  { title: 'inspect', command: 'inspect oci:show:1.27' },
  { title: 'diff', command: 'diff HOST/team/app:1.0 HOST/team/app:1.1' },
  { title: 'tags list -l', command: 'tags list -l HOST/team/app' },
  { title: 'referrers', command: 'referrers HOST/team/app:latest' },
  { title: 'images', command: 'images' },
  { title: 'verify', command: 'verify oci:stick', status: 7 },
  { title: 'doctor', command: 'doctor HOST' },
];

const WIDTHS = [100, 40] as const;

test('docs/look.md shows every screen as it is', async () => {
  const parts: string[] = [];
  for (const screen of SCREENS) {
    parts.push(`### ${screen.title}\n`);
    for (const columns of WIDTHS) parts.push(block(await typed(screen, columns)));
  }
  parts.push('### copy on a terminal\n', ...WIDTHS.map((columns) => block(liveView(columns))));
  parts.push('### copy in a log\n', block(await logOf({})));
  parts.push(
    '### copy in a log of GitHub, with `--progress plain`\n',
    block(await logOf({ GITHUB_ACTIONS: 'true', CI: 'true' }, '--progress', 'plain')),
  );
  const page = readFileSync(join(ROOT, PAGE), 'utf8');
  const before = page.slice(0, page.indexOf(HEADING));
  expectGolden(PAGE, `${before}${HEADING}\n${INTRODUCTION}\n${parts.join('\n')}`);
});

test.each(
  SCREENS.flatMap((screen) =>
    [40, 80, 120].map((columns) => [screen.title, columns, screen] as const),
  ),
)('D15: no line of %s is wider than %d columns', async (_title, columns, screen) => {
  const { stdout } = await screenOf(screen, columns);
  const wide = stdout.split('\n').filter((line) => columnsOf(line) > columns);
  expect(wide).toEqual([]);
});

test.each(SCREENS.slice(1).map((screen) => [screen.title, screen] as const))(
  'D12: %s neither wraps nor cuts in a pipe, and has whole digests',
  async (_title, screen) => {
    const { stdout } = await screenOf(screen, undefined);
    expect(stdout).not.toContain('…');
    expect(stdout.match(/sha256:[0-9a-f]{1,63}(?![0-9a-f])/g)).toBeNull();
  },
);

const INTRODUCTION = `A test makes this part of the page from the commands themselves. Names are bold, digests and sizes are dim, and
results are green, yellow or red; pipes and files get the same text without colours.
`;

async function typed(screen: Screen, columns: number): Promise<string> {
  const { status, stdout, stderr } = await screenOf(screen, columns);
  expect({ status, stderr: status === 0 ? stderr : '' }).toEqual({
    status: screen.status ?? 0,
    stderr: '',
  });
  return `$ regi ${screen.command}\n${stdout}`.replaceAll('HOST', SHOWN_HOST);
}

async function screenOf(
  { command, options = {} }: Screen,
  columns: number | undefined,
): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
  const { status, stdout, stderr } = await run(
    command.split(' ').map((word) => word.replace('HOST', registry.host)),
    { ...options, ...(columns !== undefined && { columns }) },
  );
  return { status, stdout: shown(stdout), stderr: shown(stderr) };
}

function shown(text: string): string {
  const [, port = ''] = registry.host.split(':');
  return text
    .replaceAll(registry.host, SHOWN_HOST)
    .replace(/…[\d.:]+(?=\/)/g, (cut) => `…${SHOWN_HOST.slice(1 - cut.length)}`)
    .replaceAll('127.0.0.1', 'private')
    .replaceAll(`port ${port}`, 'port 5000');
}

function run(argv: readonly string[], options: RunMainOptions = {}): ReturnType<typeof runMain> {
  return runMain(argv, {
    cwd,
    home,
    ...options,
    env: { LANG: 'C.UTF-8', CONTAINERS_REGISTRIES_CONF_DIR: '/nowhere', ...options.env },
  });
}

function block(text: string): string {
  return `\`\`\`console\n${text.trimEnd()}\n\`\`\`\n`;
}

/** The view of a copy after four seconds. A real one shows other numbers each time. */
function liveView(columns: number): string {
  const model = new TransferModel();
  const sizes = { base: 90_600_000, app: 31_000_000, tiny: 4000 };
  const targets = Object.entries(sizes).map(([name, size]) => layer(name, size));
  for (const target of targets) model.add({ kind: 'found', target, to: 'x' }, 0);
  for (const target of targets.slice(0, 2))
    model.add({ kind: 'started', target, from: 'a', to: 'x' }, 0);
  for (let at = 250; at <= 4000; at += 250)
    for (const [index, target] of targets.slice(0, 2).entries())
      model.add({ kind: 'progress', target, bytes: 2_000_000 / (index + 1), to: 'x' }, at);
  const style = { columns, rows: 24, unicode: true };
  return transferLines(model.view(4000), style).map(plainText).join('\n');
}

async function logOf(
  env: Readonly<Record<string, string>>,
  ...flags: readonly string[]
): Promise<string> {
  const to = temporaryFolder('copied');
  const argv = ['copy', ...flags, `${registry.host}/team/app:1.1`, 'oci:./out:1.1'];
  const { status, stdout, stderr } = await run(argv, { cwd: to, env });
  expect(status).toBe(0);
  const command = argv.join(' ').replace(registry.host, SHOWN_HOST);
  return `$ regi ${command}\n${sorted(shown(stderr))}${shown(stdout)}`;
}

/** Layers arrive in any order. */
function sorted(text: string): string {
  return text.replace(/(?:^copied .*\n)+/gm, (lines) =>
    lines
      .trimEnd()
      .split('\n')
      .sort()
      .map((line) => `${line}\n`)
      .join(''),
  );
}
