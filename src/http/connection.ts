import type { Socket } from 'node:net';

import type { Client, Dispatcher } from 'undici';

import { LIMITS } from '../limits.ts';
import { forwarderOf, openSocket, type Opening, type Target } from './connector.ts';
import { hasFailedToWrite, hearLastWords } from './last-words.ts';
import type { HttpProxy } from './proxy/proxy.ts';
import { SlabReader } from './slabs.ts';

/**
 * Keeps an unused connection this long, unless the server announces less. Servers close after 60 s
 * and more, so we close first.
 */
const KEEP_ALIVE_MS = 15_000;

/** One connection to an origin, for one exchange at a time. It is opened for the first exchange. */
export class Connection {
  /** The proxy that forwards requests, without a tunnel. */
  readonly forwarder: HttpProxy | undefined;
  /** Reads for the socket. */
  readonly reader: SlabReader | undefined;
  readonly #client: Client;
  #opening: Opening | undefined;
  #socket: Socket | undefined;
  #remoteAddress: string | undefined;
  #failure: Error | undefined;
  #isDestroyed = false;

  /** @param UndiciClient a parameter because undici is loaded only for the first request. */
  constructor(UndiciClient: typeof Client, target: Target, onConnected: () => void) {
    this.forwarder = forwarderOf(target);
    this.reader = target.slabs === undefined ? undefined : new SlabReader(target.slabs);
    this.#client = new UndiciClient(target.origin, {
      // Our own timers apply: undici's are off by up to half a second, and do not watch an upload.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: LIMITS.headerBytes,
      pipelining: 1,
      connect: (_options, callback) => {
        this.#opening = openSocket(
          target,
          (error, socket) => {
            if (socket === undefined)
              return callback(error ?? new Error('No socket and no error'), null);
            this.#socket = socket;
            hearLastWords(socket);
            socket.once('error', (failure) => {
              this.#failure = failure;
            });
            // A proxy would show its own address.
            if (target.proxy === undefined) this.#remoteAddress = socket.remoteAddress;
            onConnected();
            callback(null, socket);
          },
          this.reader,
        );
      },
    });
  }

  /** Undefined before the connection is open, and behind a proxy. */
  get remoteAddress(): string | undefined {
    return this.#remoteAddress;
  }

  /**
   * The error that broke the connection. When a server closes the connection after a TLS alert,
   * undici reports only the close.
   */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** True if another exchange can use it. */
  get isOpen(): boolean {
    return (
      !this.#isDestroyed &&
      this.#socket !== undefined &&
      !this.#socket.destroyed &&
      !hasFailedToWrite(this.#socket) &&
      this.#socket.writable
    );
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** Closes it immediately, also while it is opening. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    const closed = this.#client.destroy();
    if (this.#socket === undefined) this.#opening?.destroy();
    else this.#socket.destroy();
    await closed;
  }
}
