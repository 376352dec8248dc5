/**
 * `npm run bench`: what regi costs, beside what this machine has of skopeo, crane, regctl and oras.
 * Every client does every workload in turn, again and again, and medians are compared: a noisy
 * machine is noisy for all. oras does not hash what it copies, so no aim is compared with it.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { type Client, findPeers, regiClient } from './clients.ts';
import { measure, type Measured } from './measure.ts';
import { type Report, reportText, type Row, rowOf, seconds, type Verdict } from './report.ts';
import { Servers } from './servers.ts';
import { type Plan, type Workload, workloads } from './workloads.ts';

const USAGE = `npm run bench -- [flags]
  --only P1,P3      these workloads
  --runs N          runs of each client (5)
  --json FILE       the same as JSON, added to what FILE has of other workloads
  --docs            write the tables into docs/performance.md, with those of --json FILE
  --against BIN     another bin/regi.js to compare with; repeatable
  --peers A,B       these peers; '' for regi alone
  --large           the layer of 10 GiB too: needs 40 GB of disk
  --list            name the workloads
REGI_BENCH_CACHE keeps the corpora (a folder of the system's for temporary files); REGI_BENCH_STORAGE holds what the registries have (/dev/shm).`;

const REGI = fileURLToPath(new URL('../../bin/regi.js', import.meta.url));
const DOCS = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const BEGIN = '<!-- npm run bench -- --docs -->';
const END = '<!-- end of npm run bench -- --docs -->';
const TIMEOUT_MS = 600_000;
/** A client that takes longer runs once: its median would not be of interest. */
const SLOW_SECONDS = 20;

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '5' },
    json: { type: 'string' },
    docs: { type: 'boolean', default: false },
    against: { type: 'string', multiple: true, default: [] },
    peers: { type: 'string' },
    large: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

interface Contestant {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Turn extends Contestant {
  readonly costs: Measured[];
  requests: number | undefined;
  connections: number | undefined;
}

if (flags.help) process.stdout.write(`${USAGE}\n`);
else await bench();

async function bench(): Promise<void> {
  const cache = process.env['REGI_BENCH_CACHE'] ?? join(tmpdir(), 'regi-bench');
  mkdirSync(cache, { recursive: true });
  const disk = mkdtempSync(join(cache, 'run-'));
  const storage = mkdtempSync(
    join(process.env['REGI_BENCH_STORAGE'] ?? memoryFolder() ?? cache, 'regi-bench-'),
  );
  const servers = new Servers({ regi: REGI, cache, storage, disk, say });
  try {
    const regi = regiClient('regi', REGI);
    const wanted = flags.only?.split(',');
    const all = workloads({ servers, regi, folder: storage, isLarge: flags.large });
    const list = all.filter(({ id }) => wanted?.includes(id) ?? true);
    if (flags.list)
      return void process.stdout.write(
        list.map(({ id, title, aim }) => `${id.padEnd(8)} ${title} (${aim})\n`).join(''),
      );
    const others = flags.against.map((bin, index) =>
      regiClient(`regi ${index === 0 ? 'before' : `before ${index + 1}`}`, resolve(bin)),
    );
    const peers = findPeers().filter(({ name }) => flags.peers?.split(',').includes(name) ?? true);
    const clients = [regi, ...others, ...peers];
    const unhashed = new Set(
      clients.filter(({ hashes }) => hashes === false).map(({ name }) => name),
    );
    const counts = ({ client }: Row): boolean => !unhashed.has(client);
    const rows: Row[] = [];
    const verdicts: Verdict[] = [];
    for (const workload of list) {
      const own =
        workload.missing === undefined ? await run(workload, clients, servers, disk) : undefined;
      rows.push(...(own?.rows ?? []));
      const { id, title, aim } = workload;
      verdicts.push({
        workload: id,
        title,
        aim,
        text:
          own === undefined
            ? (workload.missing ?? '')
            : judge(workload, own.rows.filter(counts), own.subject),
      });
    }
    const report = { machine: machine(), rows, verdicts };
    process.stdout.write(`${reportText(report)}\n`);
    const order = all.map(({ id }) => id);
    const whole = flags.json === undefined ? report : withEarlier(report, flags.json, order);
    if (flags.json !== undefined)
      writeFileSync(flags.json, `${JSON.stringify(whole, undefined, 2)}\n`);
    if (flags.docs) writeDocs(whole);
  } finally {
    await servers.stop();
    for (const folder of [storage, disk]) rmSync(folder, { recursive: true, force: true });
  }
}

/** Adds what an earlier run measured of other workloads, in the order of the workloads. */
function withEarlier(report: Report, file: string, order: readonly string[]): Report {
  if (!existsSync(file)) return report;
  const earlier = JSON.parse(readFileSync(file, 'utf8')) as Report;
  const done = new Set(report.verdicts.map(({ workload }) => workload));
  const merge = <Entry extends { readonly workload: string }>(
    before: readonly Entry[],
    now: readonly Entry[],
  ): readonly Entry[] =>
    [...before.filter(({ workload }) => !done.has(workload)), ...now].toSorted(
      (a, b) => order.indexOf(a.workload) - order.indexOf(b.workload),
    );
  return {
    machine: report.machine,
    rows: merge(earlier.rows, report.rows),
    verdicts: merge(earlier.verdicts, report.verdicts),
  };
}

/** Replaces the text between the two markers. */
function writeDocs(report: Report): void {
  const text = readFileSync(DOCS, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`Cannot find the markers in ${DOCS}`);
  writeFileSync(
    DOCS,
    `${text.slice(0, begin + BEGIN.length)}\n\n${reportText(report)}\n${text.slice(end)}`,
  );
}

async function run(
  workload: Workload,
  clients: readonly Client[],
  servers: Servers,
  home: string,
): Promise<{ readonly rows: readonly Row[]; readonly subject: string }> {
  const plan = await workload.plan();
  const turns = contestants(plan, clients, home).map((contestant): Turn => ({
    ...contestant,
    costs: [],
    requests: undefined,
    connections: undefined,
  }));
  const runs = Number(flags.runs) * (workload.repeat ?? 1);
  for (let round = 0; round < runs; round += 1) {
    for (const turn of turns) {
      const [first] = turn.costs;
      if (first !== undefined && (first.status !== 0 || first.wall > SLOW_SECONDS)) continue;
      await plan.prepare?.(turn.name);
      const connections = await connectionsOf(servers);
      if (round === 0)
        for (const registry of plan.registries ?? []) await registry.forgetRequests();
      const measured = await measure(turn.argv, {
        env: turn.env,
        cwd: home,
        timeoutMs: TIMEOUT_MS,
      });
      turn.costs.push(measured);
      if (round > 0) continue;
      say(
        `${workload.id} ${turn.name}: ${measured.status === 0 ? seconds(measured.wall) : `exit status ${measured.status}: ${lastLine(measured.stderr)}`}`,
      );
      turn.connections =
        servers.links.length === 0
          ? undefined
          : (await connectionsOf(servers)) - connections || undefined;
      if (plan.registries !== undefined) {
        turn.requests = 0;
        for (const registry of plan.registries) turn.requests += (await registry.requests()).length;
      }
    }
  }
  const rows = turns.map(({ name, costs, requests, connections }) => {
    const failed = costs.find(({ status }) => status !== 0);
    const failure = failed && lastLine(failed.stderr);
    return rowOf(costs, {
      workload: workload.id,
      title: workload.title,
      client: name,
      requests,
      connections,
      failure,
    });
  });
  return { rows, subject: plan.subject ?? 'regi' };
}

function contestants(
  { task, synced, others = [] }: Plan,
  clients: readonly Client[],
  home: string,
): readonly Contestant[] {
  // Nothing that this machine's user has logged in to or configured may decide. NODE_EXTRA_CA_CERTS
  // and SSL_CERT_* are among it: they triple the start of Node.
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: home,
    XDG_RUNTIME_DIR: home,
    TMPDIR: home,
  };
  const able = clients.flatMap((client) => {
    const argv = task && client.argv(task, home);
    return argv === undefined || task === undefined
      ? []
      : [
          {
            name: client.name,
            argv: synced === undefined ? argv : withSync(argv, synced),
            // Two versions of regi would delete each other's compiled code.
            env: {
              ...env,
              XDG_CACHE_HOME: join(home, `cache of ${client.name}`),
              ...client.env?.(task, home),
            },
          },
        ];
  });
  return [...able, ...others.map((other) => ({ ...other, env }))];
}

/** What is only in the kernel's memory is not written yet. */
function withSync(argv: readonly string[], file: string): readonly string[] {
  return ['bash', '-c', '"$@" && sync "$0"', file, ...argv];
}

function judge(workload: Workload, rows: readonly Row[], subject: string): string {
  const own = rows.find(({ client }) => client === subject);
  if (own === undefined || own.failure !== undefined) return 'failed';
  const isOther = ({ client, failure }: Row): boolean =>
    client !== subject && !client.startsWith('regi before') && failure === undefined;
  const limit = workload.limit(
    new Map(rows.filter(isOther).map(({ client, wall }) => [client, wall])),
  );
  if (limit === undefined)
    return workload.id.startsWith('P8')
      ? `${((own.peakBytes ?? NaN) / 1e6).toFixed(0)} MB`
      : `${seconds(own.wall)}, no peer to compare with`;
  const factor = own.wall / limit;
  const { mostRequests } = workload;
  const requests =
    mostRequests === undefined || own.requests === undefined
      ? ''
      : `; ${own.requests} of ${mostRequests} requests${own.requests > mostRequests ? ': missed' : ''}`;
  return `${seconds(own.wall)} of ${seconds(limit)}: ${factor <= 1 ? 'met' : `missed, ${factor.toFixed(2)} ×`}${requests}`;
}

async function connectionsOf(servers: Servers): Promise<number> {
  const counts = await Promise.all(servers.links.map((link) => link.counts()));
  return counts.reduce((sum, { connections }) => sum + connections, 0);
}

/** Files in memory take the disk out of the comparison; 6 GB are needed. */
function memoryFolder(): string | undefined {
  const folder = '/dev/shm';
  if (!existsSync(folder)) return undefined;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize > 8e9 ? folder : undefined;
}

function machine(): string {
  const load = existsSync('/proc/loadavg')
    ? (readFileSync('/proc/loadavg', 'utf8').split(' ')[0] ?? '')
    : '';
  const [cpu] = cpus();
  return [
    `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}, Node ${process.versions.node}`,
    `load ${load} at the end; medians of runs in turn`,
  ].join(';\n');
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.slice(0, 160) ?? '';
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
