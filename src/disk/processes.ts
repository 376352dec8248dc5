import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
// oxlint-disable-next-line no-restricted-imports -- a lock names the very process that it runs in: no command line has another
import { kill, pid } from 'node:process';

import { errnoOf } from './errno.ts';

/** One run of one process, so exactly that a later process with the same number is not taken for it. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** The pid namespace: a number means nothing outside its container. Empty where the system has none. */
  readonly space: string;
  /** When it started, in the system's own count. */
  readonly started: string;
}

/** What a lock has to know of the processes of this machine. */
export interface Processes {
  self(): Promise<ProcessIdentity>;
  /** True only when it is certain that the process has ended; it is never certain of another machine's. */
  isGone(process: ProcessIdentity): Promise<boolean>;
}

/** The real ones. A lock names the process that it runs in, so nothing of this is injected from the command line. */
export const systemProcesses: Processes = { self, isGone };

async function self(): Promise<ProcessIdentity> {
  const status = await readStatus('self');
  return { pid, host: hostname(), space: await readSpace(), started: status?.started ?? 'unknown' };
}

async function isGone(process: ProcessIdentity): Promise<boolean> {
  const own = await self();
  if (process.host !== own.host || process.space !== own.space) return false;
  if (!isRunning(process.pid)) return true;
  const status = await readStatus(String(process.pid));
  // No status although it runs: no /proc on this system, or a /proc that hides other users' processes.
  if (status === undefined) return false;
  return status.isZombie || status.started !== process.started;
}

function isRunning(id: number): boolean {
  try {
    // Signal 0 sends nothing and only asks.
    return kill(id, 0);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
    if (errnoOf(error) === 'EPERM') return true;
    throw error;
  }
}

interface Status {
  readonly started: string;
  readonly isZombie: boolean;
}

/** `state` and `starttime` of /proc/PID/stat; the name before them may hold spaces and parentheses (proc_pid_stat(5)). */
async function readStatus(id: string): Promise<Status | undefined> {
  const text = await readProc(readFile(`/proc/${id}/stat`, 'latin1'));
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const started = fields[19];
  return started === undefined
    ? undefined
    : { started, isZombie: fields[0] === 'Z' || fields[0] === 'X' };
}

async function readSpace(): Promise<string> {
  return (await readProc(readlink('/proc/self/ns/pid'))) ?? '';
}

async function readProc(reading: Promise<string>): Promise<string | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
