/** The live forms of a room: Server-Sent Events (HTML Standard §9.2) and `?follow` (contract §6). */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { ServiceError } from '../../errors.ts';
import type { Hub } from '../../live/hub.ts';
import type { Format } from '../../live/subscriber.ts';
import { formatCursor, parseCursor } from '../../room/cursor.ts';
import { isLineStart } from '../../room/line-reader.ts';
import type { Snapshot, Store } from '../../store/store.ts';
import { toEventFormat, toEvents, toTextFormat } from '../response/frames.ts';
import { IDLE_MS, type Replier } from '../response/reply.ts';
import { SocketSink } from '../response/socket-sink.ts';

/** The bounds of `retry:`, so that the readers of a dead replica do not come back all at once. */
const RETRY_MS = [500, 2500] as const;

/** How long a connection is silent before the peer's system is asked whether it is there. */
const PROBE_MS = 60_000;

const HEADERS = {
  'Cache-Control': 'no-store',
  Vary: 'Accept',
  'X-Accel-Buffering': 'no',
} as const;

/** What the streams are made of. */
export interface StreamParts {
  readonly store: Store;
  readonly live: Hub;
  readonly replier: Replier;
  /** What `event: server` says. */
  readonly serverName: string;
}

/**
 * Answers with the room as events.
 *
 * @param query the request's query string
 * @throws ServiceError `bad-request` for a malformed cursor
 */
export async function streamRoom(
  parts: StreamParts,
  room: string,
  query: string,
  response: ServerResponse,
): Promise<void> {
  const lastEventId = response.req.headers['last-event-id'];
  const asked = (typeof lastEventId === 'string' && lastEventId) || toSince(query);
  const { view, offset } = await findStart(parts.store, room, asked);
  const start = offset ?? 0;
  const headers = { ...HEADERS, 'Content-Type': 'text/event-stream; charset=utf-8' };
  const isChunked = begin(parts.replier, response, headers);
  const [least, most] = RETRY_MS;
  const retryMs = Math.round(least + Math.random() * (most - least));
  const id = formatCursor(view.epoch, start);
  let hello = `retry: ${retryMs}\nevent: server\nid: ${id}\ndata: ${parts.serverName}\n\n`;
  if (offset === undefined) hello += 'event: reset\ndata: reset\n\n';
  join(parts, room, view, start, toEventFormat(isChunked), response, toEvents(hello, isChunked));
}

/**
 * Answers with the room as plain text that goes on.
 *
 * @param query the request's query string
 * @throws ServiceError `bad-request` for a malformed cursor, `gone` for a stale one
 */
export async function followRoom(
  parts: StreamParts,
  room: string,
  query: string,
  response: ServerResponse,
): Promise<void> {
  const { view, offset } = await findStart(parts.store, room, toSince(query));
  if (offset === undefined) {
    throw new ServiceError('gone', 'the room has no such place any more; follow it without since');
  }
  const cursor = { 'Chat-Cursor': formatCursor(view.epoch, offset) };
  const headers = { ...HEADERS, ...cursor, 'Content-Type': 'text/plain; charset=utf-8' };
  const isChunked = begin(parts.replier, response, headers);
  join(parts, room, view, offset, toTextFormat(isChunked), response, undefined);
}

/** @returns the start, with no offset where the place that was asked for is stale */
async function findStart(
  store: Store,
  room: string,
  asked: string | undefined,
): Promise<{ view: Snapshot; offset: number | undefined }> {
  const cursor = asked === undefined || asked === 'now' ? undefined : parseCursor(asked);
  if (asked !== undefined && asked !== 'now' && cursor === undefined) {
    throw new ServiceError(
      'bad-request',
      'the cursor is malformed; it takes <epoch>-<offset>, <offset> or now',
    );
  }
  const view = await store.snapshot(room);
  if (asked === 'now') return { view, offset: view.completeBytes };
  if (cursor === undefined || cursor.offset === 0) return { view, offset: 0 };
  const isEpoch = cursor.epoch === undefined || cursor.epoch === view.epoch;
  const isGood = isEpoch && (await isLineStart(view, cursor.offset));
  return { view, offset: isGood ? cursor.offset : undefined };
}

function toSince(query: string): string | undefined {
  return (query !== '' && new URLSearchParams(query).get('since')) || undefined;
}

/** @returns whether the body is chunked; an HTTP/1.0 client reads to the end of its connection */
function begin(replier: Replier, response: ServerResponse, headers: OutgoingHttpHeaders): boolean {
  const isChunked = response.req.httpVersion !== '1.0';
  const coding = isChunked ? { 'Transfer-Encoding': 'chunked' } : {};
  replier.begin(response, 200, { ...headers, ...coding });
  if (response.req.method !== 'HEAD') response.flushHeaders();
  return isChunked;
}

/**
 * Lets the hub write frames straight to the socket: they hold their own chunk sizes, so that one
 * buffer serves all readers.
 */
function join(
  { live }: StreamParts,
  room: string,
  view: Snapshot,
  offset: number,
  format: Format,
  response: ServerResponse,
  hello: Buffer | undefined,
): void {
  const { socket } = response;
  // Without a socket of its own it waits behind another answer, or its client is gone already.
  if (response.req.method === 'HEAD' || socket === null || response.closed) {
    response.end();
    return;
  }
  // Nothing may be said for hours, and plain text has no pings: only the peer's system is asked.
  socket.setTimeout(0);
  socket.setKeepAlive(true, PROBE_MS);
  if (hello !== undefined) socket.write(hello);
  const sink = new SocketSink(socket, response);
  const start = { epoch: view.epoch, offset };
  const subscription = live.subscribe(room, start, format, sink);
  sink.drained = () => subscription.resume();
  response.once('close', () => {
    // The connection may outlive its stream, and is an idle one then like any other.
    socket.setTimeout(IDLE_MS);
    subscription.unsubscribe();
  });
}
