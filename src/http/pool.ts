import type { Client } from 'undici';

import { Connection } from './connection.ts';
import type { Target } from './connector.ts';
import type { ExchangeEnd } from './exchange.ts';

/**
 * The connections to one origin. There is no upper bound on purpose: a download that waits for its
 * upload's connection would wait for ever. The scheduler's lanes bound the requests instead.
 */
export class ConnectionPool {
  readonly #UndiciClient: typeof Client;
  readonly #target: Target;
  readonly #onConnected: () => void;
  readonly #all = new Set<Connection>();
  /** The last one used is used next, so that the others can time out. */
  readonly #idle: Connection[] = [];
  /** Connections that have carried an exchange. */
  readonly #used = new WeakSet<Connection>();
  #closesUnannounced = false;

  constructor(UndiciClient: typeof Client, target: Target, onConnected: () => void) {
    this.#UndiciClient = UndiciClient;
    this.#target = target;
    this.#onConnected = onConnected;
  }

  /**
   * Returns a connection for one exchange; give it back with `release()`.
   *
   * @param isReplayable true if the request can be sent again when the connection turns out to be
   *   closed. After that has happened once, other requests get a new connection: on a server that
   *   closes after each response an upload would fail every time.
   */
  acquire(isReplayable: boolean): Connection {
    if (this.#closesUnannounced && !isReplayable) return this.#open();
    for (
      let connection = this.#idle.pop();
      connection !== undefined;
      connection = this.#idle.pop()
    ) {
      if (connection.isOpen) return connection;
      this.#drop(connection);
    }
    return this.#open();
  }

  release(connection: Connection, end: ExchangeEnd): void {
    if (end === 'no-response' && this.#used.has(connection)) this.#closesUnannounced = true;
    this.#used.add(connection);
    if (end === 'done' && this.#all.has(connection)) this.#idle.push(connection);
    else this.#drop(connection);
  }

  /** Closes all connections immediately, also those in use. */
  async close(): Promise<void> {
    const all = [...this.#all];
    this.#all.clear();
    await Promise.all(all.map((connection) => connection.destroy()));
  }

  #open(): Connection {
    const connection = new Connection(this.#UndiciClient, this.#target, this.#onConnected);
    this.#all.add(connection);
    return connection;
  }

  #drop(connection: Connection): void {
    this.#all.delete(connection);
    void connection.destroy();
  }
}
