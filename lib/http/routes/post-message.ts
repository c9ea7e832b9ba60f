/** Stores the message of a POST (contract §4). */
import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../../errors.ts';
import { toEntry } from '../../room/message.ts';
import { readForm } from '../request/form.ts';
import { prefersHtml } from '../request/negotiate.ts';
import { findOriginFault } from '../request/origin.ts';
import { TEXT } from '../response/reply.ts';
import type { Route } from '../route.ts';
import { toPagePath } from '../router.ts';

/** Stores a message and answers with its line. */
export const postMessage: Route = async ({ store, reply }, { argument: room }, response) => {
  const { req: request } = response;
  const originFault = findOriginFault(request.headers);
  if (originFault !== undefined) throw new ServiceError('forbidden', originFault);
  const { username, message } = await readForm(response);
  const { entry, fault } = toEntry(username, message);
  if (fault !== undefined) throw new ServiceError('bad-request', fault);
  if (mayResend(request)) response.writeProcessing();
  const { line, cursor } = await store.append(room, entry);
  const fields = ['Chat-Cursor', cursor, 'Content-Type', TEXT];
  if (!prefersHtml(request.headers.accept)) return reply.send(response, 201, fields, line);
  reply.send(response, 303, [...fields, 'Location', toPagePath(room)], line);
};

/**
 * Whether a browser is at the other end of the connection. Chromium sends a POST again by itself if a
 * kept-alive connection dies before the first byte of its answer, and the message would be stored twice.
 * An informational answer (RFC 9110 §15.2) before anything is stored prevents that, and the page can
 * check whether the message is there. A proxy in between decides for itself.
 */
function mayResend({ headers, httpVersion }: IncomingMessage): boolean {
  if (httpVersion !== '1.1' || headers['user-agent']?.startsWith('Mozilla/') !== true) return false;
  return PROXY_FIELDS.every((field) => headers[field] === undefined);
}

const PROXY_FIELDS = ['via', 'forwarded', 'x-forwarded-for', 'x-real-ip'] as const;
