import { parseSettings } from '../../src/cli/parse/settings.ts';
import { createRegistries } from '../../src/targets/registries.ts';
import type { Context } from '../../src/context.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { canDelete, canUntag, type Deleter, type Store, type Untagger } from '../../src/store.ts';
import { plainText } from '../../src/styled.ts';
import type { RegiCall, Served } from './serve.ts';

interface OpenRegistry {
  /** A repository to write to. */
  readonly open: (repository: string) => Store & Deleter & Untagger;
  readonly repositories: () => Promise<readonly string[]>;
  /** What a person was told. */
  readonly told: readonly string[];
}

/** Uses the registry of an emulation as a command does, for what no command does yet. */
export async function withRegistry<T>(
  served: Served,
  use: (registry: OpenRegistry) => Promise<T>,
  call?: RegiCall,
): Promise<T> {
  const { registry } = served.emulation;
  const io = served.io(call);
  const told: string[] = [];
  const say = (message: string): void => void told.push(message);
  const access =
    served.caFile === undefined ? { 'plain-http': [registry] } : { 'ca-file': served.caFile };
  const settings = parseSettings(access, io);
  const context: Context = {
    io,
    settings,
    signal: io.signal,
    onEvent: () => undefined,
    warn: say,
    note: (message) => say(plainText(message)),
    wait: (_what, work) => work(),
    log: say,
  };
  const registries = await createRegistries(context);
  try {
    return await use({
      open(repository) {
        const store = registries.open(parseReference(served.ref('1', repository)), 'destination');
        if (!canDelete(store) || !canUntag(store)) throw new Error('A registry deletes and untags');
        return store;
      },
      async repositories() {
        const names: string[] = [];
        for await (const name of registries.openPlace(registry).repositories()) names.push(name);
        return names;
      },
      told,
    });
  } finally {
    await registries.close();
  }
}
