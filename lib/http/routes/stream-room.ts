/** A room live: as Server-Sent Events (HTML Standard §9.2) or as text with `?follow` (contract §6). */
import type { ServerResponse } from 'node:http';
import { ServiceError } from '../../errors.ts';
import type { Format } from '../../live/subscriber.ts';
import { formatCursor, parseCursor } from '../../room/cursor.ts';
import { isLineStart } from '../../room/line-reader.ts';
import type { Store } from '../../store/store.ts';
import { toEventFormat, toEvents, toTextFormat } from '../response/frames.ts';
import { type HeaderFields, IDLE_MS, TEXT } from '../response/reply.ts';
import { SocketSink } from '../response/socket-sink.ts';
import type { AppParts, Route } from '../route.ts';

/** The bounds of `retry:`, so that the readers of a replica that died do not come back all at once. */
const RETRY_MS = [500, 2500] as const;

/** How long a connection is silent before the system probes whether its peer is there. */
const KEEP_ALIVE_PROBE_MS = 60_000;

const FIELDS = ['Cache-Control', 'no-store', 'Vary', 'Accept', 'X-Accel-Buffering', 'no'] as const;
const EVENTS = 'text/event-stream; charset=utf-8';

/** A stream that is ready to be opened. */
interface Stream {
  readonly room: string;
  /** Where it starts, after a line of this epoch. */
  readonly offset: number;
  readonly epoch: string;
  readonly fields: HeaderFields;
  readonly format: Format;
  /** What is sent before any line. */
  readonly first: Buffer | undefined;
}

/** Answers with the room as events. A stale cursor resets the stream to the room's beginning. */
export const streamRoom: Route = async (parts, { argument: room, query }, response) => {
  const parameters = new URLSearchParams(query);
  const lastEventId = response.req.headers['last-event-id'] as string | undefined;
  // Polyfills of EventSource can't set header fields.
  const cursor = lastEventId || parameters.get('lastEventId') || parameters.get('since');
  const { epoch, offset } = await findStart(parts.store, room, cursor);
  const start = offset ?? 0;
  const id = formatCursor(epoch, start);
  let first = `retry: ${pickRetryMs()}\nevent: server\nid: ${id}\ndata: ${parts.reply.server}\n\n`;
  if (offset === undefined) first += 'event: reset\ndata: reset\n\n';
  const isChunked = takesChunks(response);
  openStream(parts, response, {
    room,
    offset: start,
    epoch,
    fields: [...FIELDS, 'Content-Type', EVENTS],
    format: toEventFormat(isChunked),
    first: toEvents(first, isChunked),
  });
};

/** Answers with the room as plain text that goes on. A stale cursor is refused. */
export const followRoom: Route = async (parts, { argument: room, query }, response) => {
  const cursor = new URLSearchParams(query).get('since');
  const { epoch, offset } = await findStart(parts.store, room, cursor);
  if (offset === undefined) {
    const line = 'the room has no line that begins at this cursor; follow it without since';
    throw new ServiceError('gone', line);
  }
  openStream(parts, response, {
    room,
    offset,
    epoch,
    fields: [...FIELDS, 'Chat-Cursor', formatCursor(epoch, offset), 'Content-Type', TEXT],
    format: toTextFormat(takesChunks(response)),
    first: undefined,
  });
};

/** @returns the room's epoch, and the offset to start at: `undefined` if the cursor is stale */
async function findStart(
  store: Store,
  room: string,
  text: string | null | undefined,
): Promise<{ epoch: string; offset: number | undefined }> {
  const cursor = text && text !== 'now' ? parseCursor(text) : { epoch: undefined, offset: 0 };
  if (cursor === undefined) {
    const line = 'the cursor is malformed; it takes <epoch>-<offset>, <offset> or now';
    throw new ServiceError('bad-request', line);
  }
  const snapshot = await store.snapshot(room);
  const { epoch, completeBytes } = snapshot;
  if (text === 'now') return { epoch, offset: completeBytes };
  if (cursor.offset === 0) return { epoch, offset: 0 };
  const isEpoch = cursor.epoch === undefined || cursor.epoch === epoch;
  const isGood = isEpoch && (await isLineStart(snapshot, cursor.offset));
  return { epoch, offset: isGood ? cursor.offset : undefined };
}

function pickRetryMs(): number {
  const [least, most] = RETRY_MS;
  return Math.round(least + Math.random() * (most - least));
}

/** Whether the body is sent in chunks; an HTTP/1.0 client reads to the end of its connection. */
function takesChunks(response: ServerResponse): boolean {
  return response.req.httpVersion !== '1.0';
}

/**
 * Lets the hub write frames straight to the socket: they contain their own chunk sizes, so that one
 * buffer serves all subscribers.
 */
function openStream({ live, reply }: AppParts, response: ServerResponse, stream: Stream): void {
  const { room, offset, epoch, fields, format, first } = stream;
  const coding = takesChunks(response) ? ['Transfer-Encoding', 'chunked'] : [];
  if (!reply.begin(response, 200, fields.concat(coding))) return;
  const { req: request, socket } = response;
  // A response that waits behind another one has no socket yet; its client comes back by itself.
  if (request.method === 'HEAD' || socket === null) {
    response.end();
    return;
  }
  response.flushHeaders();
  // Nothing may be said for hours, and plain text has no pings: only the peer's system is probed.
  socket.setTimeout(0);
  socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
  if (first !== undefined) socket.write(first);
  const sink = new SocketSink(socket, response);
  const subscription = live.subscribe(room, { epoch, offset }, format, sink);
  sink.drained = () => subscription.resume();
  response.once('close', () => {
    // The connection may outlive its stream, and is then an idle one like any other.
    socket.setTimeout(IDLE_MS);
    subscription.unsubscribe();
  });
}
