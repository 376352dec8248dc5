import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
// oxlint-disable-next-line no-restricted-imports -- a lock names the very process that it runs in: no command line has another
import { kill, pid } from 'node:process';

import { errnoOf } from './errno.ts';

/** One run of one process: a later process with the same number has another identity. */
export interface ProcessIdentity {
  /** The process number. */
  readonly pid: number;
  /** The machine. */
  readonly host: string;
  /** The pid namespace: a number means nothing outside its container. Empty where the system has no namespaces. */
  readonly space: string;
  /** The start of the process, in the system's own count. */
  readonly started: string;
}

/** The processes of this machine, for locks and leases. */
export interface Processes {
  /** This process. */
  self(): Promise<ProcessIdentity>;
  /** True only when the process has certainly ended; false for processes of other machines. */
  isGone(process: ProcessIdentity): Promise<boolean>;
}

/** The real processes. A lock names the process that it runs in, so the command line injects no others. */
export const systemProcesses: Processes = { self, isGone };

/** Reads an identity from parsed JSON; undefined when it is none. */
export function parseIdentity(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid: id, host, space, started } = value as Readonly<Record<string, unknown>>;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id <= 0) return undefined;
  if (typeof host !== 'string' || typeof space !== 'string' || typeof started !== 'string')
    return undefined;
  return { pid: id, host, space, started };
}

async function self(): Promise<ProcessIdentity> {
  const status = await readStatus('self');
  return { pid, host: hostname(), space: await readSpace(), started: status?.started ?? 'unknown' };
}

async function isGone(process: ProcessIdentity): Promise<boolean> {
  const own = await self();
  if (process.host !== own.host || process.space !== own.space) return false;
  if (!isRunning(process.pid)) return true;
  const status = await readStatus(String(process.pid));
  // A running process has no status where the system has no /proc, or /proc hides other users' processes.
  if (status === undefined) return false;
  return status.isZombie || status.started !== process.started;
}

function isRunning(id: number): boolean {
  try {
    // Signal 0 is not sent: it only checks the process.
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

/** Reads `state` and `starttime` of /proc/PID/stat. The name before them may hold spaces and parentheses (proc_pid_stat(5)). */
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
