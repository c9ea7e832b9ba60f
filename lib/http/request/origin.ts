/** Who a request is for and whose page sent it: Host, Origin and their like (contract §4, `403`). */
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Tells requests that another site's page made its visitor send.
 *
 * @param headers the request's header fields
 * @returns whether another site is behind it; a client that is no browser sends neither field
 */
export function isForeign(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = headers.origin;
  return origin !== undefined && !isSameHost(origin, headers.host);
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const from = URL.canParse(origin) ? new URL(origin) : undefined;
  if (from === undefined || from.host === '' || host === undefined) return false;
  // Read under the origin's scheme, so that a default port may be named or not.
  const to = `${from.protocol}//${host}`;
  return URL.canParse(to) && new URL(to).host === from.host;
}

/**
 * Counts the Host fields: Node drops all but the first, and another party may go by another
 * (RFC 9112 §3.2).
 *
 * @param rawHeaders names and values in turn, as Node gives them
 */
export function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}
