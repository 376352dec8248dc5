import type { Socket } from 'node:net';

import type { Client, Dispatcher } from 'undici';

import { LIMITS } from '../limits.ts';
import { openSocket, type Opening, type Target } from './connector.ts';
import { SlabReader } from './slabs.ts';

/** How long an unused connection is kept, unless the server announces less. Servers close after 60 s and more; ours comes first. */
const KEEP_ALIVE_MS = 15_000;

/** One connection to an origin, for one exchange after the other. It is made when the first exchange is dispatched. */
export class Connection {
  /** Value of `Proxy-Authorization` where requests go to a proxy as they are, and not through a tunnel. */
  readonly proxyAuthorization: string | undefined;
  /** The proxy that requests are sent to as they are. */
  readonly forwarder: URL | undefined;
  /** Of large bodies. */
  readonly reader: SlabReader | undefined;
  readonly #client: Client;
  #opening: Opening | undefined;
  #socket: Socket | undefined;
  #remoteAddress: string | undefined;
  #failure: Error | undefined;
  #isDestroyed = false;

  /** @param UndiciClient given because undici is loaded only when there is something to send. */
  constructor(UndiciClient: typeof Client, target: Target, onConnected: () => void) {
    // What is encrypted goes through a tunnel; for plain http a proxy wants the whole URL.
    const forwarder = target.origin.protocol === 'http:' ? target.proxy : undefined;
    this.forwarder = forwarder?.url;
    this.proxyAuthorization = forwarder?.authorization;
    this.reader =
      target.proxy === undefined && target.slabs !== undefined
        ? new SlabReader(target.slabs)
        : undefined;
    this.#client = new UndiciClient(target.origin, {
      // Timers are ours: undici's are off by up to half a second, and do not watch an upload.
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
            socket.once('error', (failure) => {
              this.#failure = failure;
            });
            // Through a proxy it would be the proxy's.
            if (target.proxy === undefined) this.#remoteAddress = socket.remoteAddress;
            onConnected();
            callback(null, socket);
          },
          this.reader,
        );
      },
    });
  }

  /** Undefined before the connection is made, and behind a proxy. */
  get remoteAddress(): string | undefined {
    return this.#remoteAddress;
  }

  /** What broke the connection. undici forgets a TLS alert when the server closes the connection after it, and says only that it is closed. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Whether another exchange may be tried on it. */
  get isOpen(): boolean {
    return (
      !this.#isDestroyed &&
      this.#socket !== undefined &&
      !this.#socket.destroyed &&
      this.#socket.writable
    );
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** Closes it at once, also while it is being made. */
  async destroy(): Promise<void> {
    this.#isDestroyed = true;
    const closed = this.#client.destroy();
    if (this.#socket === undefined) this.#opening?.destroy();
    else this.#socket.destroy();
    await closed;
  }
}
