/** The handler of a POST: stores one message. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from '../../errors.ts';
import type { Hub } from '../../live/hub.ts';
import { toEntry } from '../../room/message.ts';
import type { Receipt, Store } from '../../store/store.ts';
import { chain } from '../chain.ts';
import { readForm } from '../request/form.ts';
import { prefersHtml } from '../request/negotiate.ts';
import { isForeign } from '../request/origin.ts';
import type { RawFields } from '../response/raw.ts';
import { type Replier, TEXT } from '../response/reply.ts';
import { toPagePath, toRoomPath } from '../router.ts';

/** What it takes to store a message. */
export interface PostParts {
  readonly store: Store;
  readonly live: Hub;
  readonly replier: Replier;
}

/**
 * Stores the message of a POST (contract §4).
 *
 * @returns rejects with what its body is refused for, or with the store's error
 * @throws ServiceError what its header alone is refused for
 */
export function postMessage(
  parts: PostParts,
  room: string,
  response: ServerResponse,
): Promise<void> {
  const request = response.req;
  if (isForeign(request.headers)) {
    throw new ServiceError('forbidden', "another site's page sent this; post from this one's");
  }
  const form = readForm(request, () => {
    if (request.headers.expect !== undefined) response.writeContinue();
  });
  const { store, live, replier } = parts;
  let prepared: Receipt | undefined;
  const onExpected = (expected: Receipt): void => {
    if (replier.prepare(response, ...toHead(room, expected, response))) prepared = expected;
  };
  const receipt = chain(form, ({ username, message }) => {
    const { entry, fault } = toEntry(username, message);
    if (fault !== undefined) throw new ServiceError('bad-request', fault);
    if (mayResend(request)) response.writeProcessing();
    return store.append(room, entry, onExpected);
  });
  return receipt.then((stored) => {
    live.notify(room);
    if (stored === prepared && replier.sendPrepared(response, stored.line)) return;
    replier.sendRaw(response, ...toHead(room, stored, response), stored.line);
  });
}

function toHead(
  room: string,
  { line, cursor }: Receipt,
  response: ServerResponse,
): [status: number, raw: RawFields] {
  const isPlainForm = prefersHtml(response.req.headers.accept);
  const Location = isPlainForm ? toPagePath(room) : toRoomPath(room);
  const length = String(Buffer.byteLength(line));
  const place = ['Chat-Cursor', cursor, 'Location', Location];
  return [isPlainForm ? 303 : 201, place.concat('Content-Type', TEXT, 'Content-Length', length)];
}

/**
 * Whether a browser is at the other end of the connection. Chromium sends a POST again by itself when
 * a kept-alive connection dies before a byte of its answer, and the message would be stored twice. An
 * informational answer (RFC 9110 §15.2) before anything is stored keeps it from that, and its page gets
 * to look whether the message is there. A proxy in between decides for itself.
 */
function mayResend({ headers, httpVersion }: IncomingMessage): boolean {
  if (httpVersion !== '1.1' || headers['user-agent']?.startsWith('Mozilla/') !== true) return false;
  return PROXY_FIELDS.every((field) => headers[field] === undefined);
}

const PROXY_FIELDS = ['via', 'forwarded', 'x-forwarded-for', 'x-real-ip'] as const;
