import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { createCredentialChain } from '../../credentials/chain.ts';
import { examineRegistry } from '../../doctor/examine-registry.ts';
import type { TimedFinding } from '../../doctor/finding.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { parseReference } from '../../oci/reference.ts';
import { pageStyle, roomOf } from '../../render/page-style.ts';
import { wrapText } from '../../render/text.ts';
import { linesText, styled, type Role, type Styled } from '../../styled.ts';
import { credentialPlaces, parseRegistryPlace } from '../../targets/credentials.ts';
import type { Hosts } from '../../targets/hosts.ts';
import { createRegistries } from '../../targets/registries.ts';
import { flag } from '../arguments/arguments.ts';

/** `regi doctor`: diagnoses a registry and the connection to it. */
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
  if (tryPush && repository === undefined)
    throw new UsageError('Cannot try to push without a repository', {
      hint: `name one: regi doctor --push ${host}/REPOSITORY`,
    });
  const registries = await createRegistries(context);
  const { hosts } = registries;
  const named = repository === undefined ? undefined : parseReference(`${host}/${repository}`);
  const insecure = hosts.isInsecure(named ?? host);
  const { schemes, targetOf } = hosts.way(host, insecure);
  const pointer = settings.sourceCredentials && {
    password: settings.sourceCredentials,
    registry: host,
  };
  const failed: TimedFinding[] = [];
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
      wait: (step, work) => context.wait(`Checking ${step}`, work),
    });
    for await (const finding of findings) {
      yield finding;
      if (finding.error !== undefined) failed.push(finding);
    }
  } finally {
    await registries.close();
  }
  if (failed.length > 0) throw unhealthy(host, failed);
}

/** Takes code and hint from the first step that failed. */
function unhealthy(registry: string, failed: readonly TimedFinding[]): RegiError {
  const cause = failed[0]?.error;
  const steps = failed.map(({ step }) => `"${step}"`).join(', ');
  return new RegiError(
    cause?.code ?? 'FAILED',
    `Cannot use "${registry}" as it is: ${failed.length === 1 ? 'the step' : 'the steps'} ${steps} failed`,
    { hint: cause?.hint, cause },
  );
}

/** Lists the mirrors of a repository; they may differ between repositories. */
function mirrorsOf(hosts: Hosts, host: string, repository = 'library/any'): readonly string[] {
  const sources = hosts.sources(parseReference(`${host}/${repository}`));
  return sources.filter(({ isMirror }) => isMirror).map(({ reference }) => reference.domain);
}

const MARKS = {
  ok: ['✔', '+', 'good'],
  failed: ['✘', 'x', 'bad'],
  note: ['–', '-', 'changed'],
} as const satisfies Record<TimedFinding['status'], readonly [string, string, Role]>;
const STEP_COLUMNS = 'credential'.length;
const TIME_COLUMNS = 8;
const INDENT = 2 + STEP_COLUMNS + TIME_COLUMNS + 2;
/**
 * In a narrower column every word would have its own line: the text begins on the next line
 * instead.
 */
const MIN_TEXT_COLUMNS = 30;

function findingText({ step, status, message, hint, ms }: TimedFinding, context: Context): Styled {
  const style = pageStyle(context);
  const [sign, plain, role] = MARKS[status];
  const isNarrow = roomOf(style) - INDENT < MIN_TEXT_COLUMNS;
  const indent = ' '.repeat(isNarrow ? 2 : INDENT);
  const width = roomOf(style) - indent.length;
  const head = [
    styled(role, style.unicode ? sign : plain),
    ' ',
    styled('name', isNarrow ? step : step.padEnd(STEP_COLUMNS)),
    styled(
      'detail',
      isNarrow ? `  ${timeText(ms)}`.trimEnd() : timeText(ms).padStart(TIME_COLUMNS),
    ),
  ];
  const texts: readonly Styled[] = [
    ...wrapText(message, width).map((line) => (status === 'failed' ? styled('bad', line) : line)),
    ...(hint === undefined ? [] : wrapText(`${style.unicode ? '→' : '>'} ${hint}`, width)).map(
      (line) => styled('detail', line),
    ),
  ];
  const [first = '', ...others] = texts;
  const lines = others.map((line) => [indent, line]);
  return linesText(
    isNarrow ? [head, [indent, first], ...lines] : [[...head, '  ', first], ...lines],
  );
}

function timeText(ms: number): string {
  if (ms < 1) return '';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
