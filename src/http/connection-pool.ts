import type { Client } from 'undici';

import { Connection } from './connection.ts';
import type { Target } from './connector.ts';

/**
 * The connections to one origin. There is no upper bound here, on purpose: a bound would wait, and a download that is held open
 * until its upload gets a connection would wait for ever. The scheduler's lanes bound what is asked for at once.
 */
export class ConnectionPool {
  readonly #UndiciClient: typeof Client;
  readonly #target: Target;
  readonly #onConnected: () => void;
  readonly #all = new Set<Connection>();
  /** The last one used is used next, so that the others may go. */
  readonly #idle: Connection[] = [];

  constructor(UndiciClient: typeof Client, target: Target, onConnected: () => void) {
    this.#UndiciClient = UndiciClient;
    this.#target = target;
    this.#onConnected = onConnected;
  }

  /** A connection for one exchange; give it back with `release()`. */
  acquire(): Connection {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isOpen) return connection;
      this.#drop(connection);
    }
    const connection = new Connection(this.#UndiciClient, this.#target, this.#onConnected);
    this.#all.add(connection);
    return connection;
  }

  /** @param isReusable the exchange came to its proper end. */
  release(connection: Connection, isReusable: boolean): void {
    if (isReusable && this.#all.has(connection)) this.#idle.push(connection);
    else this.#drop(connection);
  }

  /** Closes all connections at once, those in use too. */
  async close(): Promise<void> {
    const all = [...this.#all];
    this.#all.clear();
    await Promise.all(all.map((connection) => connection.destroy()));
  }

  #drop(connection: Connection): void {
    this.#all.delete(connection);
    void connection.destroy();
  }
}
