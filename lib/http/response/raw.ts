/** Answers past Node's own, where that has none to give: each ends its connection. */
import http, { type OutgoingHttpHeaders } from 'node:http';
import type net from 'node:net';

/** Header fields as Node writes them with the least work: name, value, name, value. */
export type RawFields = readonly string[];

/** Gives header fields as {@link RawFields}. */
export function toRaw(headers: OutgoingHttpHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) => [name, String(value)]);
}

/** How long a peer may take to close its side. */
const CLOSE_MS = 1000;

/**
 * Writes a whole answer (RFC 9112 §4) and ends the connection.
 *
 * @param raw its header fields but `Connection` and `Date`
 */
export function endWith(
  socket: net.Socket,
  status: number,
  raw: RawFields,
  body: Buffer | string,
): void {
  let head = `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n`;
  for (let index = 0; index < raw.length; index += 2)
    head += `${raw[index]}: ${raw[index + 1]}\r\n`;
  head += `Date: ${new Date().toUTCString()}\r\nConnection: close\r\n\r\n`;
  socket.on('error', () => socket.destroy());
  socket.write(head, 'latin1');
  socket.end(body);
  // Bytes that nobody read would reset the connection, and the answer with it.
  socket.resume();
  setTimeout(() => socket.destroy(), CLOSE_MS).unref();
}
