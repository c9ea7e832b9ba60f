/** The redirect from a path with a slash at its end to the one without. */
import type { ServerResponse } from 'node:http';
import type { Reply } from '../response/reply.ts';
import type { Target } from '../router.ts';

/** Redirects to the target's path, with the same method and query (RFC 9110 §15.4.9). */
export function redirect(
  { reply }: { readonly reply: Reply },
  { argument, query }: Target,
  response: ServerResponse,
): void {
  const location = query === '' ? argument : `${argument}?${query}`;
  reply.text(response, 308, `this page is at ${location}`, ['Location', location]);
}
