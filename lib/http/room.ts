/** The handlers of a room's text: storing one message, reading the whole or a part. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { ServiceError } from '../errors.ts';
import { formatCursor } from '../room/cursor.ts';
import { toEntry } from '../room/message.ts';
import type { RoomView, Store } from '../store/store.ts';
import { allowsRange, evaluate, matchesTag, parseRange } from './conditional.ts';
import { readForm } from './form.ts';
import { prefersHtml } from './negotiate.ts';
import { isForeign } from './origin.ts';
import type { Replier } from './reply.ts';
import { toPagePath, toRoomPath } from './router.ts';
import type { StreamParts } from './stream.ts';

const TEXT = 'text/plain; charset=utf-8';

/** Stores the message of a POST (contract §4). */
export async function postMessage(
  { store, live, replier }: StreamParts,
  room: string,
  response: ServerResponse,
): Promise<void> {
  const request = response.req;
  if (isForeign(request.headers)) {
    throw new ServiceError('forbidden', "another site's page sent this; post from this one's");
  }
  const form = await readForm(request, () => {
    if (request.headers.expect !== undefined) response.writeContinue();
  });
  const { entry, fault } = toEntry(form.username, form.message);
  if (fault !== undefined) throw new ServiceError('bad-request', fault);
  const { line, cursor } = await store.append(room, entry);
  live.poke(room);
  const headers = { 'Content-Type': TEXT, 'Chat-Cursor': cursor };
  if (prefersHtml(request.headers.accept)) {
    replier.send(response, 303, { ...headers, Location: toPagePath(room) }, line);
  } else {
    replier.send(response, 201, { ...headers, Location: toRoomPath(room) }, line);
  }
}

/** Answers a GET or HEAD of a room's text (contract §5). */
export async function getText(
  store: Store,
  replier: Replier,
  room: string,
  response: ServerResponse,
): Promise<void> {
  const { headers } = response.req;
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && headers['if-match'] === undefined) {
    const etag = await store.etag(room);
    if (matchesTag(ifNoneMatch, etag, 'weak')) return sendNotModified(replier, response, etag);
  }
  const view = await store.view(room);
  const verdict = evaluate(headers, view.etag);
  if (verdict === 'not-modified') return sendNotModified(replier, response, view.etag);
  if (verdict === 'failed') {
    return replier.sendText(response, 412, 'the room has changed; read it again', {
      ...toCacheHeaders(view.etag),
    });
  }
  await sendText(replier, view, response);
}

async function sendText(replier: Replier, view: RoomView, response: ServerResponse): Promise<void> {
  const { method, headers: fields } = response.req;
  const field = method === 'GET' ? fields.range : undefined;
  const canRange =
    field !== undefined && allowsRange(fields['if-range'] as string | undefined, view.etag);
  const range = canRange ? parseRange(field, view.sizeBytes) : undefined;
  const headers: OutgoingHttpHeaders = {
    ...toCacheHeaders(view.etag),
    'Accept-Ranges': 'bytes',
    'Chat-Cursor': formatCursor(view.epoch, view.completeBytes),
  };
  if (range === 'unsatisfiable') {
    headers['Content-Range'] = `bytes */${view.sizeBytes}`;
    const text = `the room has ${view.sizeBytes} bytes; ask for a range that begins before its end`;
    return replier.sendText(response, 416, text, headers);
  }
  headers['Content-Type'] = TEXT;
  const { from, to } = range ?? { from: 0, to: view.sizeBytes };
  if (range !== undefined) headers['Content-Range'] = `bytes ${from}-${to - 1}/${view.sizeBytes}`;
  const status = range === undefined ? 200 : 206;
  if (view.text !== undefined) {
    return replier.send(response, status, headers, view.text.subarray(from, to));
  }
  headers['Content-Length'] = to - from;
  replier.begin(response, status, headers);
  if (method !== 'HEAD')
    for await (const chunk of view.read(from, to)) await write(response, chunk);
  response.end();
}

/** Resolves when the socket has taken the chunk: only then may its buffer be filled again. */
function write(response: ServerResponse, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

function sendNotModified(replier: Replier, response: ServerResponse, etag: string): void {
  replier.send(response, 304, toCacheHeaders(etag));
}

function toCacheHeaders(etag: string): OutgoingHttpHeaders {
  return { ETag: etag, 'Cache-Control': 'no-cache', Vary: 'Accept' };
}
