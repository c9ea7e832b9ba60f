/** Who a request is for, and whose page sent it: Host, Origin and their like (contract §2 and §4). */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** `uri-host [":" port]` (RFC 9112 §3.2 on RFC 3986 §3.2.2); an empty host is none (RFC 9110 §4.2.1). */
const HOST =
  /^(?:\[(?:[\da-f:.]+|v[\da-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})+)(?::\d*)?$/i;

/** Finds what is wrong with the Host of a request, as one line for the client. */
export function findHostFault(request: IncomingMessage): string | undefined {
  const count = countHosts(request.rawHeaders);
  if (count > 1) return 'there are several Host fields; send one';
  if (count === 0) {
    return request.httpVersion === '1.0' ? undefined : 'the Host field is missing; send one';
  }
  const { host = '' } = request.headers;
  if (HOST.test(host)) return undefined;
  return `the Host field is ${show(host)}; it takes a host, and a port where that is not the usual one`;
}

/** Node keeps only the first Host field, and another party may go by another one. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count;
}

/**
 * Finds out whether another site's page made its visitor send a request. A client that is no browser
 * sends none of these fields.
 *
 * @returns one line for the client that says so, or `undefined` if the request may post
 */
export function findOriginFault(headers: IncomingHttpHeaders): string | undefined {
  const site = headers['sec-fetch-site'] as string | undefined;
  if (site === 'same-origin' || site === 'none') return undefined;
  const right = "post from this site's own page";
  if (site !== undefined) {
    return `another site's page sent this, as Sec-Fetch-Site is ${show(site)}; ${right}`;
  }
  const { origin, host, 'x-forwarded-host': forwarded } = headers;
  if (origin === undefined) return undefined;
  // A page of another site can't set X-Forwarded-Host, so whichever proxy set it may be believed.
  const hosts = [host, ...String(forwarded ?? '').split(',')];
  if (hosts.some((one) => isSameHost(origin, one?.trim()))) return undefined;
  return (
    `another site's page sent this, as its Origin ${show(origin)} is neither the Host ` +
    `${show(host)} nor the X-Forwarded-Host ${show(forwarded)}; ${right}, and let a proxy hand on ` +
    'the Host that its client sent, or name it in X-Forwarded-Host'
  );
}

function isSameHost(origin: string, host: string | undefined): boolean {
  const from = URL.canParse(origin) ? new URL(origin) : undefined;
  if (from === undefined || from.host === '' || !host) return false;
  // Parsed under the origin's scheme, so that a default port may be named or not.
  const to = `${from.protocol}//${host}`;
  return URL.canParse(to) && new URL(to).host === from.host;
}

/** A field's value as it may stand in one line of ASCII. */
function show(value: string | string[] | undefined): string {
  if (value === undefined) return '(none)';
  return JSON.stringify(String(value).slice(0, 200)).replace(/[^\x20-\x7e]/g, '?');
}
