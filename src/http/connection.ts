import type { Socket } from 'node:net';

import type { Client, Dispatcher } from 'undici';

import { LIMITS } from '../limits.ts';
import { openSocket, type Target } from './connector.ts';

/** How long an unused connection is kept, unless the server announces less. Servers close after 60 s and more; ours comes first. */
const KEEP_ALIVE_MS = 15_000;

/** One connection to an origin, for one exchange after the other. It is made when the first exchange is dispatched. */
export class Connection {
  readonly #client: Client;
  #socket: Socket | undefined;
  #remoteAddress: string | undefined;
  #isDestroyed = false;

  /** @param UndiciClient given because undici is loaded only when there is something to send. */
  constructor(UndiciClient: typeof Client, target: Target, onConnected: () => void) {
    this.#client = new UndiciClient(target.origin, {
      // Timers are ours: undici's are off by up to half a second, and do not watch an upload.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: LIMITS.headerBytes,
      pipelining: 1,
      connect: (_options, callback) => {
        this.#socket = openSocket(target, (error, socket) => {
          if (socket === undefined) return callback(error ?? new Error('No socket and no error'), null);
          this.#remoteAddress = socket.remoteAddress;
          onConnected();
          callback(null, socket);
        });
      },
    });
  }

  /** Undefined before the connection is made. */
  get remoteAddress(): string | undefined {
    return this.#remoteAddress;
  }

  /** Whether another exchange may be tried on it. */
  get isOpen(): boolean {
    return !this.#isDestroyed && this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** Closes it at once, also while it is being made. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    const closed = this.#client.destroy();
    this.#socket?.destroy();
    await closed;
  }
}
