import type { Bytes } from '../store.ts';

/** Content whose first chunk is on its way before anybody reads. */
export interface OpenedAhead {
  /** The first reading takes what is open already, later ones open the content anew. */
  readonly content: Bytes;
  /** Closes what nobody read. Does not wait: content that stalls ends with its own signal. */
  close(): void;
}

/** Opens content now: what it waits for, such as another registry's answer, is waited for beside something else. */
export function openAhead(content: Bytes): OpenedAhead {
  const chunks = content[Symbol.asyncIterator]();
  const first = chunks.next();
  // Whoever reads hears of it.
  first.catch(ignore);
  let isTaken = false;

  async function* readOpened(): AsyncGenerator<Uint8Array> {
    try {
      for (let step = await first; step.done !== true; step = await chunks.next()) yield step.value;
    } finally {
      await chunks.return?.();
    }
  }

  return {
    content: {
      [Symbol.asyncIterator]() {
        if (isTaken) return content[Symbol.asyncIterator]();
        isTaken = true;
        return readOpened();
      },
    },
    close() {
      if (isTaken) return;
      isTaken = true;
      chunks.return?.().catch(ignore);
    },
  };
}

function ignore(): void {}
