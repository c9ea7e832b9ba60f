/**
 * All that this service uses of Node beyond Node's documentation. Each function says how it does without,
 * and `test/unit/http/node-internals.test.ts` runs both ways on every supported version of Node.
 */
import type http from 'node:http';
import type { ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';

/**
 * Returns the file descriptor of a socket.
 *
 * @returns -1 if the socket is closed, or if Node does not show the descriptor (Windows): then write
 *   through the stream
 */
export function findDescriptor(socket: Socket): number {
  // A closed socket has no handle, so a number that another file has by now is never returned.
  return (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/**
 * Tells whether Node means to keep the connection open after this response, by what its request asked
 * for (RFC 9112 §9.3).
 *
 * @returns true if Node does not say; it then closes the connection all the same, where it has to
 */
export function keepsConnection(response: ServerResponse): boolean {
  return (response as { shouldKeepAlive?: boolean }).shouldKeepAlive !== false;
}

/**
 * Stops accepting connections and keeps the open ones. Since Node 19 `close` of an HTTP server closes
 * its idle connections too, and the request that a proxy is just sending on one would be lost.
 *
 * @param base the class whose `close` keeps them; without one, that of the HTTP server is called
 */
export function stopAccepting(
  server: http.Server,
  base: { close?: () => unknown } = net.Server.prototype,
): void {
  (base.close ?? server.close).call(server);
}

/**
 * Emits `close` on the responses of a closed connection that waited behind others. Node emits it only
 * on the response whose turn it was. Where Node does so by itself they hear it twice, which does no
 * harm to a listener added with `once`.
 */
export function emitClose(responses: readonly ServerResponse[]): void {
  for (const response of responses) {
    if (response.socket === null && !response.writableFinished) response.emit('close');
  }
}
