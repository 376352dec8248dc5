import type { LookupFunction } from 'node:net';

/** Name resolution for which every name is this machine: servers answer under their real names. */
export const lookupLoopback: LookupFunction = (_hostname, options, callback) => {
  const found = { address: '127.0.0.1', family: 4 };
  if (options.all === true) callback(null, [found]);
  else callback(null, found.address, found.family);
};
