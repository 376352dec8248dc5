import type { Client } from 'undici';

import { Connection } from './connection.ts';
import type { Target } from './connector.ts';
import type { ExchangeEnd } from './exchange.ts';

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
  /** Those that have served before. */
  readonly #used = new WeakSet<Connection>();
  #closesUnannounced = false;

  constructor(UndiciClient: typeof Client, target: Target, onConnected: () => void) {
    this.#UndiciClient = UndiciClient;
    this.#target = target;
    this.#onConnected = onConnected;
  }

  /**
   * A connection for one exchange; give it back with `release()`.
   *
   * @param isReplayable whether the request can be sent again when the connection turns out to be closed. Once that has happened, any
   *   other gets a connection of its own: a server that closes after each answer would take the upload that follows for ever.
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

  /** @param end how the exchange ended. */
  release(connection: Connection, end: ExchangeEnd): void {
    if (end === 'unanswered' && this.#used.has(connection)) this.#closesUnannounced = true;
    this.#used.add(connection);
    if (end === 'done' && this.#all.has(connection)) this.#idle.push(connection);
    else this.#drop(connection);
  }

  /** Closes all connections at once, those in use too. */
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
