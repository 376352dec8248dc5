/**
 * The one module of undici that regi loads: its index costs 40 ms of start-up, but has the types.
 */
declare module 'undici/lib/dispatcher/client.js' {
  import type { Client } from 'undici';

  const client: typeof Client;
  export default client;
}
