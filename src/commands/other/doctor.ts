import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { createCredentialChain } from '../../credentials/chain.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { parseReference } from '../../oci/reference.ts';
import { examineRegistry } from '../../doctor/examine-registry.ts';
import type { Step, TimedFinding } from '../../doctor/finding.ts';
import { flag } from '../arguments/arguments.ts';
import { credentialPlaces } from '../../targets/credentials.ts';
import type { Hosts } from '../../targets/hosts.ts';
import { pageStyle } from '../../render/page-style.ts';
import { createRegistries } from '../../targets/registries.ts';
import { parseRegistryPlace } from '../../targets/registry-name.ts';
import { wrapText } from '../../render/text.ts';

/** A registry with which something is wrong. Its code is that of the step that says what. */
export class UnhealthyRegistryError extends RegiError {
  readonly registry: string;
  readonly steps: readonly Step[];

  constructor(registry: string, failures: readonly RegiError[], steps: readonly Step[]) {
    super(
      failures[0]?.code ?? 'FAILED',
      `Cannot use "${registry}" as it is: ${steps.length === 1 ? 'the step' : 'the steps'} ${steps.map((step) => `"${step}"`).join(', ')} failed`,
      {
        hint: failures[0]?.hint,
        cause: failures[0],
      },
    );
    this.registry = registry;
    this.steps = steps;
  }
}

/** `regi doctor`: what is wrong with a registry, or with the way to it. */
export const doctorCommand: CommandBody<TimedFinding> = {
  run: runDoctor,
  text: findingText,
  json: ({ step, status, message, hint, error, facts, ms }) => ({
    step,
    status,
    ms: Math.round(ms),
    message,
    hint,
    code: error?.code,
    facts,
  }),
};

async function* runDoctor(args: ParsedArguments, context: Context): AsyncIterable<TimedFinding> {
  const { io, settings, signal } = context;
  const { host, repository } = parseRegistryPlace(args.positionals[0]);
  const tryPush = flag(args, 'push');
  if (tryPush && repository === undefined) {
    throw new UsageError('Cannot try to push without a repository', {
      hint: `name one: regi doctor --push ${host}/REPOSITORY`,
    });
  }
  const registries = await createRegistries(context);
  const { hosts } = registries;
  const named = repository === undefined ? undefined : parseReference(`${host}/${repository}`);
  const insecure = hosts.isInsecure(named ?? host);
  const { schemes, targetOf } = hosts.way(host, insecure);
  const pointer = settings.sourceCredentials && {
    password: settings.sourceCredentials,
    registry: host,
  };
  const failures: RegiError[] = [];
  const steps: Step[] = [];
  try {
    const findings = examineRegistry({
      host,
      repository,
      tryPush,
      schemes,
      targetOf,
      lookup: io.lookup,
      mirrors: mirrorsOf(hosts, host, repository),
      findCredential: createCredentialChain({ ...credentialPlaces(context), pointer }),
      connectAs: (credentials) => registries.connectAs(host, credentials, { insecure, retries: 0 }),
      clock: io.clock,
      signal,
    });
    for await (const finding of findings) {
      yield finding;
      if (finding.error !== undefined) {
        failures.push(finding.error);
        steps.push(finding.step);
      }
    }
  } finally {
    await registries.close();
  }
  if (failures.length > 0) throw new UnhealthyRegistryError(host, failures, steps);
}

/** Those of one repository may differ from those of another. */
function mirrorsOf(hosts: Hosts, host: string, repository = 'library/any'): readonly string[] {
  const sources = hosts.sources(parseReference(`${host}/${repository}`));
  return sources.filter(({ isMirror }) => isMirror).map(({ reference }) => reference.domain);
}

const MARKS = { ok: ['✔', '+'], failed: ['✘', 'x'], note: ['–', '-'] } as const satisfies Record<
  TimedFinding['status'],
  readonly string[]
>;
const STEP_COLUMNS = 'credential'.length;
const TIME_COLUMNS = 8;
const INDENT = 2 + STEP_COLUMNS + TIME_COLUMNS + 2;
/** Narrower columns are no help. */
const MIN_TEXT_COLUMNS = 20;

function findingText({ step, status, message, hint, ms }: TimedFinding, context: Context): string {
  const { unicode } = pageStyle(context);
  const columns = context.io.stdout.columns();
  const width =
    columns === undefined ? Number.POSITIVE_INFINITY : Math.max(columns - INDENT, MIN_TEXT_COLUMNS);
  const head = `${MARKS[status][unicode ? 0 : 1]} ${step.padEnd(STEP_COLUMNS)}${timeText(ms).padStart(TIME_COLUMNS)}  `;
  const lines = [
    ...wrapText(message, width),
    ...(hint === undefined ? [] : wrapText(`${unicode ? '→' : '>'} ${hint}`, width)),
  ];
  return lines.map((line, index) => `${index === 0 ? head : ' '.repeat(INDENT)}${line}\n`).join('');
}

function timeText(ms: number): string {
  if (ms < 1) return '';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
