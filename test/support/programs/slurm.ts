import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { afterFile } from '../cleanup.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { freePort, startDaemon, type Daemon } from './daemon.ts';
import { requireTool } from './real-tools.ts';
import { runOrThrow } from './run-program.ts';

/** A Slurm cluster of one node: this machine. */
export interface Slurm {
  /**
   * Runs a batch script as an array and waits for the end of all its tasks.
   *
   * @param options of sbatch, such as `--array=1-4`.
   * @throws {Error} when a task fails.
   */
  run(script: string, options: readonly string[], cwd: string): Promise<void>;
}

/** Tasks that run at once. */
const CPUS = 4;

/**
 * Starts munged, slurmctld and slurmd in the foreground, with configuration, keys, ports and state
 * of their own. They end with the test file.
 *
 * @see https://slurm.schedmd.com/slurm.conf.html
 */
export async function startSlurm(): Promise<Slurm> {
  const folder = temporaryFolder('slurm');
  const munge = join(folder, 'munge');
  for (const path of [munge, join(folder, 'state'), join(folder, 'spool')]) mkdirSync(path);
  // munged checks that others can reach its socket and cannot read its key.
  chmodSync(munge, 0o711);
  const key = join(munge, 'key');
  writeFileSync(key, randomBytes(1024), { mode: 0o400 });
  const socket = join(munge, 'socket');
  const ports = { controller: await freePort(), node: await freePort() };
  const config = join(folder, 'slurm.conf');
  writeFileSync(config, configText(folder, socket, ports));
  const files = ['socket', 'key-file', 'log-file', 'pid-file', 'seed-file'].map(
    (name) => `--${name}=${join(munge, name.replace('-file', ''))}`,
  );
  await started('munged', ['--foreground', '--force', ...files], socket);
  await started('slurmctld', ['-D', '-f', config], ports.controller);
  await started('slurmd', ['-D', '-f', config, '-N', nodeName()], ports.node);
  const env = { PATH: process.env['PATH'] ?? '', SLURM_CONF: config };
  return {
    async run(script, options, cwd) {
      await runOrThrow(requireTool('sbatch'), ['--wait', ...options, script], { env, cwd });
    },
  };
}

async function started(
  program: 'munged' | 'slurmctld' | 'slurmd',
  args: readonly string[],
  address: number | string,
): Promise<Daemon> {
  const daemon = await startDaemon(requireTool(program), args, address);
  afterFile(daemon.stop);
  return daemon;
}

function nodeName(): string {
  return hostname().split('.', 1)[0] ?? '';
}

function configText(
  folder: string,
  socket: string,
  { controller, node }: { readonly controller: number; readonly node: number },
): string {
  const name = nodeName();
  return `ClusterName=regi
SlurmctldHost=${name}(127.0.0.1)
SlurmctldPort=${controller}
SlurmdPort=${node}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${socket}
CredType=cred/munge
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MailProg=/bin/true
NodeName=${name} NodeHostname=${name} NodeAddr=127.0.0.1 CPUs=${CPUS} State=UNKNOWN
PartitionName=main Nodes=${name} Default=YES MaxTime=INFINITE State=UP
`;
}
