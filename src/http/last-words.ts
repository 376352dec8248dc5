import type { Socket } from 'node:net';

/** Time to read what the peer sent before it cut the connection. Milliseconds. */
const READ_MS = 1000;

type Callback = (error?: Error | null) => void;

const failed = new WeakSet<Socket>();

/**
 * Delays the error of a write until the peer's last bytes are read. A server that refuses a large
 * body sends its response and closes: our next write fails, and Node would drop the response that
 * has arrived.
 */
export function hearLastWords(socket: Socket): void {
  const write = socket._write.bind(socket);
  socket._write = (chunk, encoding, callback) => write(chunk, encoding, delayed(socket, callback));
  const writev = socket._writev?.bind(socket);
  if (writev !== undefined)
    socket._writev = (chunks, callback) => writev(chunks, delayed(socket, callback));
}

/** True if a write has failed: the connection can only be read. */
export function hasFailedToWrite(socket: Socket): boolean {
  return failed.has(socket);
}

function delayed(socket: Socket, callback: Callback): Callback {
  return (error) => {
    if (error === undefined || error === null || socket.destroyed) return callback(error);
    failed.add(socket);
    const fail = (): void => {
      clearTimeout(timer);
      socket.off('end', fail).off('close', fail);
      callback(error);
    };
    const timer = setTimeout(fail, READ_MS);
    socket.once('end', fail).once('close', fail);
  };
}
