/** The redirect from a path with a slash at its end to the one without. */
import type { Route } from '../route.ts';

/** Redirects to the target's path, with the same method and query (RFC 9110 §15.4.9). */
export const redirect: Route = ({ reply }, { argument, query }, response) => {
  const location = query === '' ? argument : `${argument}?${query}`;
  reply.text(response, 308, `this page is at ${location}`, ['Location', location]);
};
