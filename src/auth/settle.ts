import type { HttpResponse } from '../http/message.ts';
import { LIMITS } from '../limits.ts';

/**
 * Takes the body of a refusal off its connection, so that others may use it while we look for what to answer, and gives the same
 * answer with the body in memory. What is over the bound of error bodies is left unread.
 */
export async function settle(
  response: HttpResponse,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      const kept = new Uint8Array(chunk.subarray(0, LIMITS.errorBytes - size));
      chunks.push(kept);
      size += kept.byteLength;
      if (size >= LIMITS.errorBytes) break;
    }
  } catch (error) {
    // The head has said what matters; a body that is cut short only shortens the explanation.
    if (signal?.aborted === true) throw error;
  }
  return {
    status: response.status,
    headers: response.headers,
    url: response.url,
    remoteAddress: response.remoteAddress,
    body: {
      async *[Symbol.asyncIterator]() {
        yield* chunks;
      },
    },
  };
}
