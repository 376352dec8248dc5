/** The one module of undici that regi loads: its index costs 40 ms of start-up. The types are those of its index. */
declare module 'undici/lib/dispatcher/client.js' {
  import type { Client } from 'undici';

  const client: typeof Client;
  export default client;
}
