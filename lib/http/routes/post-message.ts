/** Stores the message of a POST (contract §4). */
import { ServiceError } from '../../errors.ts';
import { parseCursor, type SentCursor } from '../../room/cursor.ts';
import { toEntry } from '../../room/message.ts';
import { readForm } from '../request/form.ts';
import { prefers } from '../request/negotiate.ts';
import { findOriginFault } from '../request/origin.ts';
import { TEXT } from '../response/reply.ts';
import type { Route } from '../route.ts';
import { toPagePath } from '../router.ts';

/** Stores a message, or finds that it is a repeat, and answers with its line. */
export const postMessage: Route = async ({ store, reply }, { argument: room, query }, response) => {
  const { req: request } = response;
  const originFault = findOriginFault(request.headers);
  if (originFault !== undefined) throw new ServiceError('forbidden', originFault);
  const since = parseSince(query);
  const { username, message } = await readForm(response);
  const { entry, fault } = toEntry(username, message);
  if (fault !== undefined) throw new ServiceError('bad-request', fault);
  const { line, cursor, isRepeat } = await store.append(room, entry, since);
  const fields = ['Chat-Cursor', cursor, 'Content-Type', TEXT];
  // A browser that submits a plain form wants a page.
  if (!prefers(request.headers.accept, 'text/html')) {
    return reply.send(response, isRepeat ? 200 : 201, fields, line);
  }
  reply.send(response, 303, [...fields, 'Location', toPagePath(room)], line);
};

/** @returns the cursor with which a message may be sent again, `undefined` if it has none */
function parseSince(query: string): SentCursor | undefined {
  const text = query === '' ? null : new URLSearchParams(query).get('since');
  if (text === null || text === '') return undefined;
  const cursor = parseCursor(text);
  if (cursor !== undefined) return cursor;
  const line = 'since is no cursor; it takes <epoch>-<offset> or <offset>, as Chat-Cursor says it';
  throw new ServiceError('bad-request', line);
}
