import type { CommandSpec } from '../../command.ts';

export const completionSpec = {
  name: 'completion',
  group: 'Around it',
  summary: 'Print what makes a shell complete regi commands',
  description:
    'Prints a script for bash, zsh or fish. With it, Tab completes commands, flags and their values, kinds of places, files, registries with a login, images of the ' +
    'local store, and the repositories and tags of a registry that answers within two seconds. Nothing is asked of the keychain, and no password of anybody.\n\n' +
    'For one session, or in ~/.bashrc and in ~/.zshrc behind compinit: source <(regi completion bash).',
  arguments: [{ name: 'SHELL', summary: 'bash, zsh or fish' }],
  options: [],
  examples: [
    { command: 'regi completion bash > ~/.local/share/bash-completion/completions/regi', summary: 'For bash with bash-completion, once' },
    { command: 'regi completion zsh > ~/.zfunc/_regi', summary: 'For zsh, once, into a folder of fpath' },
    { command: 'regi completion fish > ~/.config/fish/completions/regi.fish', summary: 'For fish, once' },
  ],
  load: async () => (await import('../completion.ts')).completionCommand,
} as const satisfies CommandSpec;
