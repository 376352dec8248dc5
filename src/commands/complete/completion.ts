import type { CommandBody, ParsedArguments } from '../../command.ts';
import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { positional } from '../arguments/arguments.ts';

export interface ScriptRow {
  readonly shell: string;
  readonly script: string;
}

/** `regi completion`: prints the script with which a shell completes regi commands. */
export const completionCommand: CommandBody<ScriptRow> = {
  run: runCompletion,
  text: ({ script }) => script,
};

async function* runCompletion(args: ParsedArguments): AsyncIterable<ScriptRow> {
  const typed = positional(args, 0, 'a shell', `type one of ${SHELLS.join(', ')}`);
  const shell = SHELLS.find((known) => known === typed);
  if (shell === undefined)
    throw new UsageError(`Cannot complete for ${quote(typed)}: expected ${SHELLS.join(', ')}`, {
      hint: 'type regi completion bash',
    });
  yield { shell, script: COMPLETION_SCRIPTS[shell] };
}

/** Supported shells. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/**
 * Completion scripts. All of them run `regi __complete WORD…`, which prints one candidate per line,
 * with its description after a tab. The scripts therefore know every command and flag of the
 * installed version.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = {
  // Needs no bash-completion, and works with bash 3.2 of macOS. bash splits words at ":" and "="
  // and replaces only the last piece, so the script removes the part before it from each candidate.
  bash: `# completion of regi for bash: source <(regi completion bash)
_regi() {
  local line="\${COMP_LINE:0:COMP_POINT}" candidate
  local -a words
  read -ra words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(''); fi
  local cur="\${words[\${#words[@]}-1]}" cut=''
  if [[ $cur == *[:=]* && $COMP_WORDBREAKS == *:* ]]; then cut="\${cur%"\${cur##*[:=]}"}"; fi
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    if [[ $candidate == *[/:=] ]] && type compopt &>/dev/null; then compopt -o nospace; fi
    COMPREPLY+=("\${candidate#"$cut"}")
  done < <("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)
}
complete -F _regi regi
`,
  zsh: `#compdef regi
# completion of regi for zsh: source <(regi completion zsh), or in a file "_regi" of a folder of $fpath
_regi() {
  local line value note
  local -a values notes prefixes prefix_notes
  while IFS=$'\\t' read -r value note; do
    line="$value\${note:+  -- $note}"
    if [[ $value == *[/:=] ]]; then
      prefixes+=("$value") prefix_notes+=("$line")
    else
      values+=("$value") notes+=("$line")
    fi
  done < <("\${(Q)words[1]}" __complete "\${(@Q)words[2,CURRENT-1]}" "\${(Q)IPREFIX}\${(Q)PREFIX}" 2>/dev/null)
  # -l: one per line, with the description.
  (( \${#values} )) && compadd -l -d notes -a values
  (( \${#prefixes} )) && compadd -l -S '' -d prefix_notes -a prefixes
}
if [[ "\${funcstack[1]}" == _regi ]]; then _regi "$@"; else compdef _regi regi; fi
`,
  fish: `# completion of regi for fish: regi completion fish | source
function __regi_complete
    set -l words (commandline -opc)
    set -l regi $words[1]
    set -e words[1]
    $regi __complete $words (commandline -ct) 2>/dev/null
end
complete -c regi -f -a '(__regi_complete)'
`,
};
